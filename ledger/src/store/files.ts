import { close as closeFd, constants, fdatasync, ftruncate, open as openFd, write } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { LedgerError } from "../errors.ts";

// Names in a ledger's directory.
export const IDENTITY_FILE = "ledger.json";
export const CHECKPOINTS_FILE = "checkpoints.jsonl";
export const KEYS_DIRECTORY = "keys";

const SEGMENT_FILE = /^([0-9]{8,})\.jsonl$/;

export const segmentPath = (directory: string, segment: number): string =>
  join(directory, `${String(segment).padStart(8, "0")}.jsonl`);

/** Numbers of the segments on disk, ascending. */
export async function segmentNumbers(directory: string): Promise<readonly number[]> {
  return (await readdir(directory))
    .flatMap((name) => SEGMENT_FILE.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** The `code` of an error of the operating system, if it is one. */
export function systemCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

/** `undefined` in place of a failure because there is no such file. */
export async function unlessAbsent<Value>(reading: Promise<Value>): Promise<Value | undefined> {
  try {
    return await reading;
  } catch (thrown) {
    if (systemCode(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

/** No room, whether the disk's, the quota's or what a process may write. */
const NO_ROOM: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** A file to read; `damaged` where something else stands in its place, of which the end might never come. */
export async function openFile(path: string): Promise<FileHandle> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new LedgerError("damaged", `${path} is no file`);
}

export async function readTextFile(path: string): Promise<string> {
  const handle = await openFile(path);
  try {
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** A failure to write as whoever appends learns of it. */
export function writeError(attempt: string, thrown: unknown): LedgerError {
  if (thrown instanceof LedgerError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  const code = NO_ROOM.has(systemCode(thrown)) ? "disk_full" : "write_failed";
  return new LedgerError(code, `${attempt}: ${reason}`, { cause: thrown });
}

/** A file that was made, renamed or removed is so on disk once its directory is. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file that is there whole or not at all, readable to its owner alone. */
export async function writeWhole(path: string, data: string | Buffer): Promise<void> {
  const temporary = `${path}.${process.pid}.new`;
  try {
    await writeFile(temporary, data, { mode: 0o600, flush: true });
    await rename(temporary, path);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw thrown;
  }
  await syncDirectory(dirname(path));
}

const openAsync = promisify(openFd);
const truncateAsync = promisify(ftruncate);
const syncAsync = promisify(fdatasync);
const closeAsync = promisify(closeFd);

/** A segment's file as its writer holds it. Bare descriptors: a FileHandle costs twice as much a write. */
export class SegmentFd {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static async open(path: string): Promise<SegmentFd> {
    return new SegmentFd(await openAsync(path, constants.O_WRONLY, 0o600));
  }

  /** What is there already is what a begun and failed attempt left. */
  static async create(path: string): Promise<SegmentFd> {
    return new SegmentFd(await openAsync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600));
  }

  async writeAt(bytes: Buffer, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) done += await this.#write(bytes, done, offset + done);
  }

  #write(bytes: Buffer, from: number, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#fd, bytes, from, bytes.length - from, offset, (error, written) => {
        if (error) reject(error);
        else resolve(written);
      });
    });
  }

  sync(): Promise<void> {
    return syncAsync(this.#fd);
  }

  cut(length: number): Promise<void> {
    return truncateAsync(this.#fd, length);
  }

  close(): Promise<void> {
    return closeAsync(this.#fd);
  }
}
