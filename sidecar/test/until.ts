import { setTimeout as sleep } from "node:timers/promises";

/** Awaits a condition, looking every 20 ms; throws, saying what was awaited, after `limitMs`. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 15_000,
): Promise<void> {
  const deadlineMs = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(20);
  }
}
