import { readdirSync, readFileSync, realpathSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { CliError, reasonOf } from "../errors.ts";

/** A file of manifests, as a person names it. */
export interface ManifestFile {
  readonly file: string;
  readonly text: string;
}

/**
 * The manifests that `paths` name, in their order: files as they are, every *.yaml and *.yml below directories,
 * standard input for -. A file named twice is read once.
 *
 * @throws CliError usage: a path cannot be read, or a directory holds no manifests.
 */
export async function readManifests(
  paths: readonly string[],
  readStdin: () => Promise<string>,
): Promise<readonly ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const file of new Set(paths.flatMap(filesUnder)))
    files.push({ file: file === "-" ? "<stdin>" : file, text: file === "-" ? await readStdin() : read(file) });
  return files;
}

function filesUnder(path: string): readonly string[] {
  if (path === "-" || !isDirectory(path)) return [path];
  const files = walk(path, []);
  if (files.length === 0) throw new CliError("usage", `no *.yaml or *.yml in ${path}: name the manifests' directory`);
  return files;
}

/** In the order in which the control plane reads a directory: of two objects of one name, the earlier is in the right. */
function walk(directory: string, ancestors: readonly string[]): readonly string[] {
  const real = attempt(directory, () => realpathSync(directory));
  // A link to a directory above it has no end.
  if (ancestors.includes(real)) return [];
  const names = attempt(directory, () => readdirSync(directory)).filter((name) => !isHidden(name));
  return names.sort().flatMap((name) => {
    const path = join(directory, name);
    const isManifest = /\.ya?ml$/.test(name);
    // A link that leads nowhere is nothing, unless it bears a manifest's name.
    const found = attempt<Stats | undefined>(path, () => statSync(path, { throwIfNoEntry: isManifest }));
    if (found?.isDirectory()) return walk(path, [...ancestors, real]);
    return isManifest ? [path] : [];
  });
}

/** As .git, or the ..data of a mounted ConfigMap, whose files are linked from outside it. */
function isHidden(name: string): boolean {
  return name.startsWith(".") || name === "node_modules";
}

function isDirectory(path: string): boolean {
  return attempt(path, () => statSync(path)).isDirectory();
}

function read(path: string): string {
  return attempt(path, () => readFileSync(path, "utf8"));
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new CliError("usage", `could not read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
