/** Bounds of an exponential back-off, milliseconds. */
export interface BackoffBounds {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds to wait before attempt number `attempt` + 1 (attempt 0 has just failed): doubled each time, then spread over
 * its upper half, so that agents that lost the same peer at once do not come back at once. `random` is in [0, 1).
 */
export function backoffMs(attempt: number, { baseMs, maxMs }: BackoffBounds, random: number): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
  return ceilingMs * (0.5 + random / 2);
}
