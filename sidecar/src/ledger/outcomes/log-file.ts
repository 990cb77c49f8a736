import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

const LF = 0x0a;
/** Of one read; a line that is longer is nothing that Envoy was asked to write. */
const MAX_BATCH_BYTES = 256 * 1024;
const PRINT_BYTES = 512;

/** Where reading had come in which file. A file is known by its inode and how it begins: inodes are used again. */
export interface LogPosition {
  readonly inode: number;
  /** SHA-256 of the first min(`offset`, 512) bytes, hexadecimal. */
  readonly print: string;
  /** Bytes whose lines are recorded. */
  readonly offset: number;
}

export interface LogBatch {
  readonly lines: readonly string[];
  /** Where the next batch begins. */
  readonly next: number;
  /** Bytes that are no line: they go on for longer than any. */
  readonly skipped: number;
}

/** One file of Envoy's log, that grows. */
export class LogFile implements AsyncDisposable {
  readonly #handle: FileHandle;
  readonly inode: number;
  #print: string | undefined;

  private constructor(handle: FileHandle, inode: number) {
    this.#handle = handle;
    this.inode = inode;
  }

  /** Undefined: there is none. */
  static async open(path: string): Promise<LogFile | undefined> {
    try {
      const handle = await open(path, "r");
      return new LogFile(handle, (await handle.stat()).ino);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  /** Whole lines from there on, as many as one batch takes; what has no end yet is left for the next. */
  async read(offset: number): Promise<LogBatch> {
    const chunk = Buffer.allocUnsafe(MAX_BATCH_BYTES);
    const { bytesRead } = await this.#handle.read(chunk, 0, MAX_BATCH_BYTES, offset);
    const end = chunk.lastIndexOf(LF, bytesRead - 1);
    if (bytesRead === 0 || end < 0) {
      const skipped = bytesRead === MAX_BATCH_BYTES ? bytesRead : 0;
      return { lines: [], next: offset + skipped, skipped };
    }
    return { lines: chunk.toString("utf8", 0, end).split("\n"), next: offset + end + 1, skipped: 0 };
  }

  /** How many lines end between there and the end. */
  async countLines(offset: number): Promise<number> {
    const chunk = Buffer.allocUnsafe(MAX_BATCH_BYTES);
    let lines = 0;
    for (let at = offset; ; ) {
      const { bytesRead } = await this.#handle.read(chunk, 0, MAX_BATCH_BYTES, at);
      if (bytesRead === 0) return lines;
      for (let end = chunk.indexOf(LF); end >= 0 && end < bytesRead; end = chunk.indexOf(LF, end + 1)) lines += 1;
      at += bytesRead;
    }
  }

  async position(offset: number): Promise<LogPosition> {
    if (offset < PRINT_BYTES) return { inode: this.inode, print: await this.#printOf(offset), offset };
    this.#print ??= await this.#printOf(PRINT_BYTES);
    return { inode: this.inode, print: this.#print, offset };
  }

  /** True where the position is one in this very file. */
  async holds(position: LogPosition): Promise<boolean> {
    if (position.inode !== this.inode || (await this.size()) < position.offset) return false;
    return (await this.#printOf(Math.min(position.offset, PRINT_BYTES))) === position.print;
  }

  async #printOf(bytes: number): Promise<string> {
    const begin = Buffer.alloc(bytes);
    if (bytes > 0) await this.#handle.read(begin, 0, bytes, 0);
    return createHash("sha256").update(begin).digest("hex");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }
}
