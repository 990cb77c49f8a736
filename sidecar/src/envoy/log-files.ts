import { closeSync, openSync, readSync, truncateSync, writeSync } from "node:fs";
import { copyFile, stat } from "node:fs/promises";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";

const MAX_BYTES = 64 * 1024 * 1024;
const CHECK_MS = 30_000;
const CHUNK_BYTES = 1024 * 1024;

/**
 * Keeps files that Envoy appends to within bounds: over 64 MiB, a file is copied to `FILE.1` and emptied, so that at most
 * about 128 MiB and half a minute's writing lie on disk for each. Envoy holds its standard output open for life and cannot be
 * told to open it again; lines written between the last copied byte and the truncation (microseconds) are lost. These
 * files are for people, not for audit.
 */
export class LogFiles {
  readonly #paths: readonly string[];
  readonly #maxBytes: number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #checking = false;

  constructor(paths: readonly string[], logger: Logger, maxBytes: number = MAX_BYTES) {
    this.#paths = paths;
    this.#logger = logger;
    this.#maxBytes = maxBytes;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), CHECK_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** One look at every file. */
  async check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    for (const path of this.#paths) {
      try {
        if ((await stat(path)).size > this.#maxBytes) await rotate(path);
      } catch (error) {
        this.#logger.warn({ path, error: messageOf(error) }, "Could not bound a log file");
      }
    }
    this.#checking = false;
  }
}

async function rotate(path: string): Promise<void> {
  const kept = `${path}.1`;
  await copyFile(path, kept);
  let offset = (await stat(kept)).size;
  const source = openSync(path, "r");
  const target = openSync(kept, "a");
  try {
    // Synchronously from here, so that as little as possible is written in between.
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let read = readSync(source, chunk, 0, CHUNK_BYTES, offset); read > 0; ) {
      writeSync(target, chunk, 0, read);
      offset += read;
      read = readSync(source, chunk, 0, CHUNK_BYTES, offset);
    }
    truncateSync(path, 0);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}
