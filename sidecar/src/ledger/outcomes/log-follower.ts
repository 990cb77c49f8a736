import { rename, rm, stat } from "node:fs/promises";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { type LogBatch, LogFile } from "./log-file.ts";
import { readPosition, writePosition } from "./position.ts";

/** Two such files have room in a pod, where the run directory is 64 MiB of memory. */
const ROTATE_BYTES = 16 * 1024 * 1024;
/** How often Envoy is asked again to open its log anew. */
const REOPEN_AGAIN_MS = 1_000;

/**
 * Follows the log that Envoy writes for us, and keeps it short: over 16 MiB it is renamed to `LOG.1` and Envoy asked to open it anew.
 * Envoy has one thread that writes, and it closes the old file before it opens the new one: once there is a new one, the old one is
 * complete, and goes when it has been read. An Envoy that can't be asked goes on in the old one, and so do we.
 *
 * Where nobody takes what it says, these two files are all that waits: once the new one is as long, the old one goes unread.
 */
export class LogFollower implements AsyncDisposable {
  readonly #path: string;
  readonly #rotatedPath: string;
  readonly #positionPath: string;
  readonly #reopen: () => Promise<void>;
  readonly #rotateBytes: number;
  readonly #logger: Logger;
  #current: { readonly file: LogFile; readonly rotated: boolean; offset: number } | undefined;
  /** What the last batch was read from. */
  #batchFile: LogFile | undefined;
  #positionUsed = false;
  #askedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly path: string;
    /** Where the position is kept. */
    readonly positionPath: string;
    /** Has Envoy open its logs anew. */
    readonly reopen: () => Promise<void>;
    readonly logger: Logger;
    readonly rotateBytes?: number;
  }) {
    this.#path = options.path;
    this.#rotatedPath = `${options.path}.1`;
    this.#positionPath = options.positionPath;
    this.#reopen = options.reopen;
    this.#rotateBytes = options.rotateBytes ?? ROTATE_BYTES;
    this.#logger = options.logger;
  }

  /** What was written since; undefined: nothing now. The same again until `keep`. */
  async read(): Promise<LogBatch | undefined> {
    for (;;) {
      this.#current ??= await this.#open();
      const current = this.#current;
      if (current === undefined) return undefined;
      this.#batchFile = current.file;
      await this.#rotateWhenDue();
      // Looked at before reading: what is in the file then, when another has taken its place, is all that it will ever hold.
      const live = await this.#live();
      const replaced = live !== undefined && live.ino !== current.file.inode;
      if (live !== undefined && !replaced && live.size <= current.offset) return undefined;
      const batch = await current.file.read(current.offset);
      if (batch.lines.length > 0 || batch.skipped > 0) return batch;
      if (!replaced) return undefined;
      const left = (await current.file.size()) - current.offset;
      if (left > 0) return { lines: [], next: current.offset + left, skipped: left };
      await this.#leave();
    }
  }

  /** What a batch brought is recorded: nobody needs to read it again. */
  async keep(batch: LogBatch): Promise<void> {
    // It may have been dropped meanwhile.
    if (this.#current === undefined || this.#current.file !== this.#batchFile) return;
    this.#current.offset = batch.next;
    await writePosition(this.#positionPath, await this.#current.file.position(batch.next));
  }

  /**
   * Drops the older of two long files, and says how many of its lines nobody has kept. To be called now and then while what was
   * read can't be recorded.
   */
  async bound(): Promise<number> {
    this.#current ??= await this.#open();
    await this.#rotateWhenDue();
    const current = this.#current;
    const live = await this.#live();
    if (current?.rotated !== true || live === undefined || live.ino === current.file.inode) return 0;
    if (live.size < this.#rotateBytes) return 0;
    const lines = await current.file.countLines(current.offset);
    await this.#leave();
    return lines;
  }

  async #open() {
    const position = this.#positionUsed ? undefined : await readPosition(this.#positionPath);
    const [old, live] = [await LogFile.open(this.#rotatedPath), await LogFile.open(this.#path)];
    const inLive = position !== undefined && (await live?.holds(position)) === true;
    this.#positionUsed = true;
    if (old !== undefined && !inLive) {
      await live?.[Symbol.asyncDispose]();
      const offset = position !== undefined && (await old.holds(position)) ? position.offset : 0;
      return { file: old, rotated: true, offset };
    }
    if (old !== undefined) {
      // It was read to its end: only its removal was missing.
      await old[Symbol.asyncDispose]();
      await rm(this.#rotatedPath, { force: true });
    }
    return live && { file: live, rotated: false, offset: inLive ? position.offset : 0 };
  }

  async #rotateWhenDue(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    if (!current.rotated && (await current.file.size()) >= this.#rotateBytes) {
      await rename(this.#path, this.#rotatedPath);
      this.#current = { ...current, rotated: true };
    }
    if (this.#current?.rotated !== true) return;
    const live = await this.#live();
    if (live !== undefined && live.ino !== current.file.inode) return;
    if (performance.now() - this.#askedAtMs < REOPEN_AGAIN_MS) return;
    this.#askedAtMs = performance.now();
    try {
      await this.#reopen();
    } catch (error) {
      this.#logger.warn({ error: messageOf(error) }, "Envoy did not open its log anew, asking again");
    }
  }

  /** What stands where Envoy writes; undefined: nothing yet. */
  async #live(): Promise<{ readonly ino: number; readonly size: number } | undefined> {
    return await stat(this.#path).catch(() => undefined);
  }

  async #leave(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await rm(this.#rotatedPath, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#current?.file;
    this.#current = undefined;
    await file?.[Symbol.asyncDispose]();
  }
}
