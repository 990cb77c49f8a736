import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { CliError, reasonOf } from "../errors.ts";

/** A file of manifests, as a person names it. */
export interface ManifestFile {
  readonly file: string;
  readonly text: string;
}

/**
 * The manifests that `paths` name, in their order: files as they are, the *.yaml and *.yml below directories in the order
 * of their names, standard input for -. A file named twice is read once.
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
  const files = attempt(path, () => readdirSync(path, { recursive: true, encoding: "utf8" }))
    .filter((name) => /\.ya?ml$/.test(name) && !name.split("/").some(isHidden))
    .map((name) => join(path, name))
    .filter((file) => !isDirectory(file))
    .sort();
  if (files.length === 0) throw new CliError("usage", `no *.yaml or *.yml in ${path}: name the manifests' directory`);
  return files;
}

/** As .git, or the ..data of a mounted ConfigMap, whose files are linked from outside it. */
function isHidden(segment: string): boolean {
  return segment.startsWith(".") || segment === "node_modules";
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
