import type { Digit } from "../mesh/digits.ts";
import { type Answer, classify, type PredictorClient } from "../mesh/predict.ts";

export interface Tally {
  readonly right: number;
  readonly total: number;
  /** Answers by model version. */
  readonly versions: ReadonlyMap<string, number>;
}

/** Sends every digit, `concurrency` at a time. Any failed request fails the whole. */
export async function classifyAll(
  client: PredictorClient,
  digits: readonly Digit[],
  concurrency: number,
): Promise<Tally> {
  const versions = new Map<string, number>();
  let right = 0;
  const pending = digits.values();
  const caller = async (): Promise<void> => {
    for (const digit of pending) {
      const answer: Answer = await classify(client, digit);
      if (answer.label === digit.label) right++;
      versions.set(answer.version, (versions.get(answer.version) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  return { right, total: digits.length, versions };
}

/** Milliseconds of each call, one at a time, sorted. */
export async function latencies(client: PredictorClient, digits: readonly Digit[]): Promise<readonly number[]> {
  const taken: number[] = [];
  for (const digit of digits) {
    const started = performance.now();
    await classify(client, digit);
    taken.push(performance.now() - started);
  }
  return taken.sort((a, b) => a - b);
}

/** The value below which `ratio` (0 to 1) of the sorted values lie. */
export function quantile(sorted: readonly number[], ratio: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * ratio))] ?? Number.NaN;
}

/** Whether a share seen in `total` independent draws agrees with `expectedRatio`: within 4 standard deviations. */
export function agrees(count: number, total: number, expectedRatio: number): boolean {
  const deviation = Math.sqrt(total * expectedRatio * (1 - expectedRatio));
  return Math.abs(count - total * expectedRatio) <= 4 * deviation;
}
