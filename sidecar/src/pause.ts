import { setTimeout as sleep } from "node:timers/promises";

/** Waits; less when the signal aborts, which throws nothing: whoever waited looks for himself. */
export async function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    // Woken early.
  }
}
