import { setTimeout as delay } from "node:timers/promises";

const pollMs = 20;

export interface UntilOptions {
  /** Default 20. */
  readonly everyMs?: number;
  /** Ends the wait with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Awaits a condition of the outside world: the first value of `probe` that is neither undefined nor false. A probe that
 * throws has not been met yet; its last error is the cause of the failure.
 */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { everyMs = pollMs, signal }: UntilOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    signal?.throwIfAborted();
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause });
    await delay(everyMs);
  }
}
