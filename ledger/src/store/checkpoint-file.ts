import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import type { StoredCheckpoint } from "../checkpoint.ts";
import { checkpointDigest, claimsOfCheckpoint } from "../checkpoint-jws.ts";

const NAME = "checkpoints.jsonl";
const LF = 0x0a;
/** About a hundred checkpoints. */
const TAIL_BYTES = 256 * 1024;

export interface KnownCheckpoint {
  readonly compact: string;
  readonly digest: string;
  readonly seq: number;
  readonly isClosing: boolean;
  readonly isWitnessed: boolean;
}

/**
 * checkpoints.jsonl of one ledger, a StoredCheckpoint a line. A line is on disk before anybody is asked to countersign it, so
 * that a crash leaves no witness of what is not there; the countersignature is then written into that last line.
 */
export class CheckpointFile implements AsyncDisposable {
  readonly #file: FileHandle;
  /** Of the whole lines. */
  #bytes: number;
  #last: KnownCheckpoint | undefined;
  #lastWitnessed: KnownCheckpoint | undefined;

  private constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Cuts off or completes what a crash left of the last line. */
  static async open(directory: string): Promise<CheckpointFile> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW;
    const file = await open(join(directory, NAME), flags, 0o600);
    try {
      const { size } = await file.stat();
      const from = Math.max(0, size - TAIL_BYTES);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
      const tail = buffer.subarray(0, bytesRead);
      const wholeBytes = tail.lastIndexOf(LF) + 1;
      const opened = new CheckpointFile(file, from + wholeBytes);
      const lines = tail.subarray(0, wholeBytes).toString("latin1").split("\n");
      for (const line of from > 0 ? lines.slice(1) : lines) opened.#know(line);
      await opened.#repair(tail.subarray(wholeBytes).toString("latin1"), size);
      return opened;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get last(): KnownCheckpoint | undefined {
    return this.#last;
  }

  /** The newest with a countersignature; undefined where none of the last hundred has one. */
  get lastWitnessed(): KnownCheckpoint | undefined {
    return this.#lastWitnessed;
  }

  async append(compact: string): Promise<void> {
    const stored: StoredCheckpoint = { checkpoint: compact };
    const line = Buffer.from(`${JSON.stringify(stored)}\n`);
    await this.#write(line, this.#bytes);
    await this.#file.datasync();
    this.#bytes += line.length;
    this.#know(line.toString("latin1").trimEnd());
  }

  /** The countersignature of the last one. It can be had again: it is not waited for to be on disk. */
  async witness(witness: string): Promise<void> {
    const last = this.#last;
    if (last === undefined || last.isWitnessed) return;
    const rest = Buffer.from(`,"witness":${JSON.stringify(witness)}}\n`);
    const at = this.#bytes - "}\n".length;
    await this.#write(rest, at);
    this.#bytes = at + rest.length;
    this.#last = { ...last, isWitnessed: true };
    this.#lastWitnessed = this.#last;
  }

  /** Whether one with this digest was ever written here; reads the whole file. */
  async holds(digest: string): Promise<boolean> {
    for await (const line of this.#file.readLines({ start: 0, autoClose: false, encoding: "latin1" }))
      if (read(line)?.digest === digest) return true;
    return false;
  }

  // A crash while a countersignature was written leaves the checkpoint before it whole.
  async #repair(torn: string, size: number): Promise<void> {
    if (torn === "" && size === this.#bytes) return;
    await this.#file.truncate(this.#bytes);
    const [, compact] = /^\{"checkpoint":"([\w.-]+)"/.exec(torn) ?? [];
    if (compact !== undefined && claimsOfCheckpoint(compact) !== undefined) await this.append(compact);
    else await this.#file.datasync();
  }

  async #write(bytes: Buffer, at: number): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written, at + written);
      written += bytesWritten;
    }
  }

  #know(line: string): void {
    const known = read(line);
    if (known === undefined) return;
    this.#last = known;
    if (known.isWitnessed) this.#lastWitnessed = known;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function read(line: string): KnownCheckpoint | undefined {
  const [, compact, witness] = /^\{"checkpoint":"([\w.-]+)"(?:,"witness":"([\w.-]+)")?\}$/.exec(line) ?? [];
  const claims = compact === undefined ? undefined : claimsOfCheckpoint(compact);
  if (compact === undefined || claims === undefined) return undefined;
  return {
    compact,
    digest: checkpointDigest(compact),
    seq: claims.seq,
    isClosing: claims.closed === true,
    isWitnessed: witness !== undefined,
  };
}
