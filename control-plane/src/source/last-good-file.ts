import { messageOf } from "../errors.ts";
import { decodeLastGood, encodeLastGood } from "../last-good/format.ts";
import { type LastGood, nothingGood } from "../last-good/source-view.ts";
import type { Logger } from "../logger.ts";
import { readPrivateFile, replaceFile } from "../state-file.ts";

const maxBytes = 256 * 1_048_576;

/** The last good set on disk, written behind: the newest one is on its way at any time, those between are skipped. */
export class LastGoodFile implements AsyncDisposable {
  readonly #path: string;
  readonly #logger: Logger;
  #next: LastGood | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
  }

  /** What an earlier run left; nothing, with an error in the log, when it cannot be used: the manifests still count. */
  async read(): Promise<LastGood> {
    try {
      const text = await readPrivateFile(this.#path, maxBytes);
      if (text === undefined) return nothingGood;
      const { lastGood, problems } = decodeLastGood(text);
      if (problems.length > 0) this.#logger.error({ file: this.#path, problems }, "Last good manifests lost in part");
      return lastGood;
    } catch (error) {
      this.#logger.error({ file: this.#path, error: messageOf(error) }, "Cannot read last good manifests");
      return nothingGood;
    }
  }

  /** A failure is logged; the next change tries again. */
  write(lastGood: LastGood): void {
    this.#next = lastGood;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#next !== undefined) {
      const lastGood = this.#next;
      this.#next = undefined;
      try {
        await replaceFile(this.#path, encodeLastGood(lastGood));
      } catch (error) {
        this.#logger.error({ file: this.#path, error: messageOf(error) }, "Cannot keep last good manifests");
      }
    }
  }

  /** Resolves once the newest set is on disk, or could not be written. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }
}
