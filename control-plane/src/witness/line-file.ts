import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { replaceFile } from "../state-file.ts";

const LF = 0x0a;
const CHUNK_BYTES = 1024 * 1024;

/** Where a line stands, in bytes; its end is not part of it. */
export interface LinePlace {
  readonly offset: number;
  readonly length: number;
}

/**
 * A private file of lines that only grows, or is replaced whole. What `append` has resolved for is on disk. Half a line that a crash
 * or a full disk left at the end is cut off, at the latest before the next one is written.
 */
export class LineFile implements AsyncDisposable {
  readonly path: string;
  #file: FileHandle;
  /** Of the whole lines. */
  #bytes: number;
  #torn: boolean;

  private constructor(path: string, file: FileHandle, fields: { readonly bytes: number; readonly torn: boolean }) {
    this.path = path;
    this.#file = file;
    this.#bytes = fields.bytes;
    this.#torn = fields.torn;
  }

  /** `onLine` sees every whole line, without its end, in order; what it throws ends the opening. */
  static async open(path: string, onLine: (line: Buffer, place: LinePlace) => void): Promise<LineFile> {
    // No symbolic link, as for all private files.
    const file = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const bytes = await readLines(file, onLine);
      return new LineFile(path, file, { bytes, torn: bytes < (await file.stat()).size });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** One write and one sync for all of them. Where each stands. Not to be called twice at a time. */
  async append(lines: readonly string[]): Promise<readonly LinePlace[]> {
    if (this.#torn) await this.#file.truncate(this.#bytes);
    this.#torn = true;
    const content = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    for (let written = 0; written < content.length; ) {
      const { bytesWritten } = await this.#file.write(
        content,
        written,
        content.length - written,
        this.#bytes + written,
      );
      written += bytesWritten;
    }
    await this.#file.datasync();
    this.#torn = false;
    let offset = this.#bytes;
    this.#bytes += content.length;
    return lines.map((line) => {
      const place = { offset, length: Buffer.byteLength(line) };
      offset += place.length + 1;
      return place;
    });
  }

  async read({ offset, length }: LinePlace): Promise<string> {
    const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead).toString("utf8");
  }

  /** A crash leaves the old lines or the new ones. */
  async replace(lines: readonly string[]): Promise<void> {
    const content = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    const { ino } = await this.#file.stat();
    try {
      await replaceFile(this.path, content.toString("utf8"));
    } finally {
      // It may have failed with the new file already in place; lines appended to the old one would be lost.
      const file = await open(this.path, constants.O_RDWR | constants.O_NOFOLLOW);
      if ((await file.stat()).ino === ino) await file.close();
      else {
        await this.#file.close();
        this.#file = file;
        this.#bytes = content.length;
        this.#torn = false;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function readLines(file: FileHandle, onLine: (line: Buffer, place: LinePlace) => void): Promise<number> {
  let rest = Buffer.alloc(0);
  let offset = 0;
  for (;;) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(CHUNK_BYTES), 0, CHUNK_BYTES, offset + rest.length);
    if (bytesRead === 0) return offset;
    const bytes = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      onLine(bytes.subarray(start, end), { offset: offset + start, length: end - start });
      start = end + 1;
    }
    offset += start;
    rest = bytes.subarray(start);
  }
}
