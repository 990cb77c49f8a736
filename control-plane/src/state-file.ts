// Files under HEDGEROW_STATE: private, and whole at every point at which the process may be killed.
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, link, mkdir, open, readdir, rename, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ControlPlaneError, systemCode } from "./errors.ts";

const PRIVATE = 0o600;

/** A new or renamed file outlives a power cut only once its directory is on disk. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeAside(path: string, content: string): Promise<string> {
  const aside = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  const file = await open(aside, "wx", PRIVATE);
  try {
    await file.writeFile(content);
    await file.sync();
  } catch (error) {
    // A disk that is full must not be filled further by every attempt.
    await rm(aside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  return aside;
}

/** Makes the directory (mode 0700) and its parents. Error STATE_EXPOSED: others than its owner may write in it. */
export async function openStateDir(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const { mode } = await directory.stat();
    if ((mode & 0o022) !== 0)
      throw new ControlPlaneError(
        "STATE_EXPOSED",
        `state directory ${path} has mode ${(mode & 0o777).toString(8)}: others may write in it (chmod 700 it)`,
      );
  } finally {
    await directory.close();
  }
}

/** Removes what a process that was killed left beside its files. Only for whoever has the directory for itself. */
export async function removeLeftovers(directory: string): Promise<void> {
  for (const name of await readdir(directory))
    if (/\.[0-9a-f]{12}\.tmp$/.test(name)) await rm(join(directory, name), { force: true });
}

/** Creates a 0600 file with this content, whole and on disk. False: it exists already, and was left as it is. */
export async function createOnce(path: string, content: string): Promise<boolean> {
  const aside = await writeAside(path, content);
  try {
    await link(aside, path);
  } catch (error) {
    if (systemCode(error) === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(aside);
  }
  await syncDirectory(dirname(path));
  return true;
}

/** Puts a 0600 file with this content in place of the old one: readers and crashes see one or the other. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const aside = await writeAside(path, content);
  try {
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/**
 * The content of a private file; undefined when there is none.
 * Errors: FILE_EXPOSED (not a plain file, or others than its owner may open it), FILE_TOO_LARGE (over `maxBytes`).
 */
export async function readPrivateFile(path: string, maxBytes: number): Promise<string | undefined> {
  let file: FileHandle;
  try {
    // No symbolic links: whoever plants one would choose what is read.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    if (systemCode(error) === "ELOOP") throw new ControlPlaneError("FILE_EXPOSED", `${path} is a symbolic link`);
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new ControlPlaneError("FILE_EXPOSED", `${path} is no plain file`);
    if ((stat.mode & 0o077) !== 0)
      throw new ControlPlaneError(
        "FILE_EXPOSED",
        `${path} has mode ${(stat.mode & 0o777).toString(8)}: others may open it (chmod 600 it)`,
      );
    if (stat.size > maxBytes)
      throw new ControlPlaneError("FILE_TOO_LARGE", `${path} takes ${stat.size} bytes, at most ${maxBytes} are read`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}
