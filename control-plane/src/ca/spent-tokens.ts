// Which single-use join tokens are spent: STATE/spent-tokens, a line `JTI EXP` (Unix seconds) each.
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { ControlPlaneError } from "../errors.ts";
import { readPrivateFile, replaceFile } from "../state-file.ts";

const MAX_FILE_BYTES = 64 * 1024 * 1024;
/** Remembered for longer than they live, in case the clock is set back. */
const REMEMBER_SECONDS = 600;
/** The file is written anew, without the expired, once it has twice the lines that it had then, and this many. */
const REWRITE_LINES = 1000;

interface Pending {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * `spend` returns once the token is on disk as spent: what was issued for it must leave only then. Tokens are forgotten
 * ten minutes after they expire. Bounded by `maxTokens`, default 100,000: while that many are spent and alive, no more can be.
 */
export class SpentTokens implements AsyncDisposable {
  readonly #path: string;
  readonly #now: () => number;
  readonly #maxTokens: number;
  readonly #expiry: Map<string, number>;
  #file: FileHandle;
  #lines: number;
  #rewriteAt: number;
  // After a failed write the file may end in half a line.
  #torn = false;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;

  private constructor(fields: {
    readonly path: string;
    readonly now: () => number;
    readonly maxTokens: number;
    readonly expiry: Map<string, number>;
    readonly file: FileHandle;
  }) {
    this.#path = fields.path;
    this.#now = fields.now;
    this.#maxTokens = fields.maxTokens;
    this.#expiry = fields.expiry;
    this.#file = fields.file;
    this.#lines = fields.expiry.size;
    this.#rewriteAt = 2 * this.#lines + REWRITE_LINES;
  }

  /** Error SPENT_TOKENS_CORRUPT: the file holds anything else than whole lines, and no token could be trusted to be unspent. */
  static async open(stateDir: string, now: () => number, maxTokens: number = 100_000): Promise<SpentTokens> {
    const path = join(stateDir, "spent-tokens");
    const lines = ((await readPrivateFile(path, MAX_FILE_BYTES)) ?? "").split("\n");
    // A crash while a line was written leaves a last line without its end. Nothing was issued for it.
    lines.pop();
    const expiry = new Map<string, number>();
    for (const [index, line] of lines.entries()) {
      const [, jti, exp] = /^([A-Za-z0-9_-]{1,64}) ([0-9]{1,12})$/.exec(line) ?? [];
      if (jti === undefined)
        throw new ControlPlaneError(
          "SPENT_TOKENS_CORRUPT",
          `${path}:${index + 1} is no line of a spent token; remove the line only if every join token has expired`,
        );
      expiry.set(jti, Number(exp));
    }
    forgetExpired(expiry, now());
    await replaceFile(path, contentOf(expiry));
    return new SpentTokens({ path, now, maxTokens, expiry, file: await open(path, "a") });
  }

  /**
   * Marks a token as spent. `already`: somebody was faster, even if not yet on disk. `full`: over the bound.
   * Rejects when the disk refuses; the token is unspent then, since nothing was issued for it.
   */
  async spend(jti: string, expSeconds: number): Promise<"spent" | "already" | "full"> {
    if (this.#expiry.has(jti)) return "already";
    if (this.#expiry.size >= this.#maxTokens) forgetExpired(this.#expiry, this.#now());
    if (this.#expiry.size >= this.#maxTokens) return "full";
    // Taken before the first await: of concurrent uses one gets here first.
    this.#expiry.set(jti, expSeconds);
    try {
      await new Promise<void>((resolve, reject) => {
        this.#pending.push({ line: `${jti} ${expSeconds}\n`, resolve, reject });
        this.#writing ??= this.#writeAll();
      });
    } catch (error) {
      this.#expiry.delete(jti);
      throw error;
    }
    return "spent";
  }

  // One fsync for all who waited while the last one ran. Never rejects: failures go to the waiters.
  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        if (this.#torn || this.#lines >= this.#rewriteAt) await this.#rewrite();
        else {
          this.#torn = true;
          await this.#file.writeFile(batch.map(({ line }) => line).join(""));
          await this.#file.datasync();
          this.#torn = false;
          this.#lines += batch.length;
        }
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = undefined;
  }

  // The tokens in memory include the batch that is being written.
  async #rewrite(): Promise<void> {
    forgetExpired(this.#expiry, this.#now());
    await replaceFile(this.#path, contentOf(this.#expiry));
    await this.#file.close();
    this.#file = await open(this.#path, "a");
    this.#lines = this.#expiry.size;
    this.#rewriteAt = 2 * this.#lines + REWRITE_LINES;
    this.#torn = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }
}

function forgetExpired(expiry: Map<string, number>, nowMs: number): void {
  for (const [jti, exp] of expiry) if (nowMs >= (exp + REMEMBER_SECONDS) * 1000) expiry.delete(jti);
}

function contentOf(expiry: ReadonlyMap<string, number>): string {
  return [...expiry].map(([jti, exp]) => `${jti} ${exp}\n`).join("");
}
