import type { BigIntStats, Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileProblem, type Problem } from "@hedgerow/manifest";
import { messageOf, systemCode } from "../errors.ts";

/** Directories within one another, through links too. */
const maxDepth = 16;
/** Files of one mesh; beyond, the directory is surely not what was meant. */
const maxFiles = 10_000;

/** Directories of one mesh, by every path that leads to them: links may lead to the same one in very many ways. */
const maxDirectories = 1_000;

/** What a directory holds, without having read any of it. */
export interface Listing {
  /** Path relative to the directory → signature, in the order of paths. */
  readonly files: ReadonlyMap<string, Signature>;
  /** Every directory found, by absolute path → its identity. */
  readonly directories: ReadonlyMap<string, string>;
  /** Of directories that could not be listed; their files are missing here, which does not mean that they are gone. */
  readonly problems: readonly Problem[];
}

/** Two equal signatures at different times: nothing was written in between. */
export interface Signature {
  readonly id: string;
  readonly bytes: number;
  /** When the file last changed in any way, Unix ms. */
  readonly changedAtMs: number;
}

/** Signature of a path, links followed; of one that cannot be looked at, the reason. */
export async function signatureOf(path: string): Promise<Signature> {
  try {
    return toSignature(await stat(path, { bigint: true }));
  } catch (error) {
    return { id: `error:${systemCode(error) ?? messageOf(error)}`, bytes: 0, changedAtMs: 0 };
  }
}

// ctime too: it moves with a changed mode, and nobody can set it back.
function toSignature({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Signature {
  const changedAtMs = Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n);
  return { id: `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`, bytes: Number(size), changedAtMs };
}

/** Looks at every *.yaml and *.yml below a directory. Hidden names are skipped: editors', version control's, a ConfigMap's `..data`. */
export async function scan(root: string): Promise<Listing> {
  const files = new Map<string, Signature>();
  const directories = new Map<string, string>();
  const problems: Problem[] = [];

  const isTooLarge = () => files.size > maxFiles || directories.size > maxDirectories;
  const visit = async (relative: string, ancestors: readonly string[]): Promise<void> => {
    const absolute = join(root, relative);
    let entries: Dirent[];
    try {
      const { dev, ino } = await stat(absolute, { bigint: true });
      const identity = `${dev}:${ino}`;
      // A link to a directory above it has no end.
      if (ancestors.includes(identity) || ancestors.length >= maxDepth) return;
      entries = await readdir(absolute, { withFileTypes: true });
      directories.set(absolute, identity);
      if (isTooLarge()) return;
      ancestors = [...ancestors, identity];
    } catch (error) {
      // A directory that was removed since its parent was listed is gone; only the root must exist.
      if (relative !== "." && systemCode(error) === "ENOENT") return;
      problems.push(fileProblem(relative, "unreadable", `directory cannot be read: ${messageOf(error)}`));
      return;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith(".")) continue;
      const path = relative === "." ? entry.name : `${relative}/${entry.name}`;
      const isLink = entry.isSymbolicLink();
      if (entry.isDirectory() || (isLink && (await isDirectory(join(root, path))))) await visit(path, ancestors);
      else if (/\.ya?ml$/.test(entry.name) && (entry.isFile() || isLink))
        files.set(path, await signatureOf(join(root, path)));
      if (isTooLarge()) return;
    }
  };

  await visit(".", []);
  if (isTooLarge()) {
    const message = `directory has more than ${maxFiles} manifest files or ${maxDirectories} directories`;
    problems.push(fileProblem(".", "too_large", message));
  }
  return { files, directories, problems };
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    // A link that leads nowhere is a file that cannot be read, if its name is that of a manifest.
    return false;
  }
}
