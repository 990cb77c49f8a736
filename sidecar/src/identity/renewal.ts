/** When an SVID came and how long it serves, Unix milliseconds. */
export interface Lifetime {
  /** When the agent got it: a CA may back-date notBefore against clock skew, so that says nothing. */
  readonly receivedAtMs: number;
  readonly notAfterMs: number;
}

/** How to get the next SVID: prove the present one (renew), or show the join token again (enrol). */
export type Step = "renew" | "enrol";

/** An SVID this close to its end may not last for the call; milliseconds. */
const CALL_MARGIN_MS = 1_000;
const RETRY_BASE_MS = 500;
const RETRY_MAX_MS = 60_000;
const RETRY_MIN_MS = 250;
/** Back-off of an agent without any valid SVID: it is down until this works. */
const RETRY_MAX_EXPIRED_MS = 10_000;

/**
 * When to renew, Unix milliseconds: at half of what was left when it came, give or take a tenth of that, so that workloads
 * that started together do not renew together. `random` is in [0, 1).
 */
export function renewAtMs({ receivedAtMs, notAfterMs }: Lifetime, random: number): number {
  return receivedAtMs + Math.max(0, notAfterMs - receivedAtMs) * (0.45 + 0.1 * random);
}

/** Which way to the next SVID. Without a valid SVID only the token serves, and whether it does is the control plane's word. */
export function nextStep(lifetime: Lifetime | undefined, nowMs: number): Step {
  return lifetime !== undefined && nowMs < lifetime.notAfterMs - CALL_MARGIN_MS ? "renew" : "enrol";
}

/**
 * How long to wait after failure number `failures` (from 1), milliseconds: doubled each time up to a minute, at most a fifth of
 * what the SVID has left, spread over the upper half. `random` is in [0, 1).
 */
export function retryDelayMs(failures: number, lifetime: Lifetime | undefined, nowMs: number, random: number): number {
  const leftMs = lifetime === undefined ? 0 : lifetime.notAfterMs - nowMs;
  const ceilingMs = leftMs > 0 ? Math.min(RETRY_MAX_MS, leftMs / 5) : RETRY_MAX_EXPIRED_MS;
  const delayMs = Math.min(ceilingMs, RETRY_BASE_MS * 2 ** Math.min(failures - 1, 20));
  return Math.max(RETRY_MIN_MS, delayMs * (0.5 + random / 2));
}
