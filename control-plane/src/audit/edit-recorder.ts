// Edits of a directory of manifests into the ledger; STATE/recorded-edits.json says what was recorded, over restarts too.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../errors.ts";
import type { SourceView } from "../last-good/source-view.ts";
import type { Logger } from "../logger.ts";
import { readPrivateFile, replaceFile } from "../state-file.ts";
import type { ActRecorder } from "./acts.ts";
import { type Edit, editsSince } from "./edits.ts";

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const RETRY_MS = 5_000;

export interface EditRecorderDeps {
  readonly manifestsDir: string;
  readonly stateDir: string;
  readonly view: () => SourceView;
  readonly ledger: ActRecorder;
  readonly logger: Logger;
}

/**
 * Each edit is recorded once it is in force; what could not be recorded is tried again until it is. After a crash in between an edit may
 * stand in the ledger twice. Edits that came while the control plane was away are recorded when it is back, several of one object as one.
 */
export class EditRecorder implements AsyncDisposable {
  readonly #deps: EditRecorderDeps;
  readonly #path: string;
  readonly #recorded = new Map<string, string>();
  #isRead = false;
  #isOwed = false;
  #working: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(deps: EditRecorderDeps) {
    this.#deps = deps;
    this.#path = join(deps.stateDir, "recorded-edits.json");
  }

  viewChanged(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#isOwed = true;
    this.#working ??= this.#work();
  }

  // Never rejects.
  async #work(): Promise<void> {
    try {
      if (!this.#isRead) await this.#read();
      while (this.#isOwed && !this.#isClosed) {
        this.#isOwed = false;
        await this.#recordAll();
      }
    } catch (error) {
      this.#deps.logger.error({ err: error }, "Edits could not be recorded yet");
      if (!this.#isClosed) this.#timer = setTimeout(() => this.viewChanged(), RETRY_MS).unref();
    } finally {
      this.#working = undefined;
    }
  }

  async #recordAll(): Promise<void> {
    const edits = editsSince(this.#recorded, this.#deps.view());
    if (edits.length === 0) return;
    try {
      for (const edit of edits) {
        if (this.#isClosed) break;
        if (edit.record !== undefined) await this.#deps.ledger.record({ ...edit.record, by: await this.#editor(edit) });
        if (edit.digest === undefined) this.#recorded.delete(edit.key);
        else this.#recorded.set(edit.key, edit.digest);
      }
    } finally {
      await replaceFile(this.#path, `${JSON.stringify(Object.fromEntries(this.#recorded))}\n`);
    }
  }

  /** A file tells no more than whose it is. */
  async #editor({ file }: Edit): Promise<string> {
    if (file === undefined) return "unknown (it is gone)";
    try {
      const { uid } = await stat(join(this.#deps.manifestsDir, file));
      return `uid ${uid} (file owner)`;
    } catch (error) {
      return `unknown (${messageOf(error)})`;
    }
  }

  async #read(): Promise<void> {
    try {
      const text = await readPrivateFile(this.#path, MAX_FILE_BYTES);
      const value: unknown = text === undefined ? {} : JSON.parse(text);
      if (typeof value !== "object" || value === null) throw new TypeError("not an object");
      for (const [key, digest] of Object.entries(value))
        if (typeof digest === "string") this.#recorded.set(key, digest);
    } catch (error) {
      // Everything is then recorded once more, which hides nothing.
      this.#deps.logger.error({ path: this.#path, err: error }, "Ignored an unreadable list of recorded edits");
    }
    this.#isRead = true;
  }

  /** Finishes the record that is being written; the rest is recorded at the next start. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#working;
  }
}
