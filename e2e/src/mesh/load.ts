import { setTimeout as delay } from "node:timers/promises";
import type { Digit } from "./digits.ts";
import { classify, type PredictorClient } from "./predict.ts";

/** Requests that keep flowing while something else happens; every failure is kept. */
export class Load {
  readonly failures: string[] = [];
  readonly versions: Map<string, number> = new Map();
  #answered = 0;
  #stopped = false;
  readonly #callers: Promise<void>[];

  /** `pauseMs` between a caller's requests keeps the load from being a benchmark. */
  constructor(client: PredictorClient, digits: readonly Digit[], concurrency: number = 4, pauseMs: number = 5) {
    this.#callers = Array.from({ length: concurrency }, (_, caller) => this.#run(client, digits, caller, pauseMs));
  }

  get answered(): number {
    return this.#answered;
  }

  async #run(client: PredictorClient, digits: readonly Digit[], caller: number, pauseMs: number): Promise<void> {
    for (let turn = caller; !this.#stopped; turn++) {
      const digit = digits[turn % digits.length];
      if (digit === undefined) throw new Error("a load needs digits");
      try {
        const { version } = await classify(client, digit);
        this.versions.set(version, (this.versions.get(version) ?? 0) + 1);
        this.#answered++;
      } catch (error) {
        this.failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
      await delay(pauseMs);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#callers);
  }
}
