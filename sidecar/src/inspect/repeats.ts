/** How long after its first attempt a request may be repeated and still count as the same. */
const WINDOW_MS = 60_000;
const MAX_REQUESTS = 32_768;

/** What makes two requests one: a claimed request id alone would let a caller hide one request behind another. */
export interface RequestIdentity {
  /** SPIFFE id; undefined: plain text. */
  readonly caller: string | undefined;
  readonly requestId: string;
  /** Port, model and version: of REST they are not in the input. */
  readonly target: string;
  readonly inputDigest: string;
}

interface First {
  readonly decision: string;
  readonly atMs: number;
}

/**
 * Knows a retry or hedge by its first attempt. Bounded: when it is full the oldest is forgotten, and a repetition of that
 * counts as a request of its own.
 */
export class Repeats {
  // In the order of their first attempts.
  readonly #firsts = new Map<string, First>();
  readonly #maxRequests: number;

  constructor(maxRequests: number = MAX_REQUESTS) {
    this.#maxRequests = maxRequests;
  }

  get size(): number {
    return this.#firsts.size;
  }

  /** Decision id of the first attempt; undefined where this is the first, which is then remembered. */
  meet(request: RequestIdentity, decision: string, nowMs: number): string | undefined {
    this.#forgetOld(nowMs);
    const key = keyOf(request);
    const first = this.#firsts.get(key);
    if (first !== undefined) return first.decision;
    this.#firsts.set(key, { decision, atMs: nowMs });
    return undefined;
  }

  /** Takes back what `meet` remembered of a decision that could not be recorded. */
  forget(request: RequestIdentity, decision: string): void {
    const key = keyOf(request);
    if (this.#firsts.get(key)?.decision === decision) this.#firsts.delete(key);
  }

  #forgetOld(nowMs: number): void {
    for (const [key, { atMs }] of this.#firsts) {
      // A clock that was set back must not keep entries for longer than the window.
      const expired = nowMs - atMs >= WINDOW_MS || nowMs < atMs;
      if (!expired && this.#firsts.size < this.#maxRequests) return;
      this.#firsts.delete(key);
    }
  }
}

function keyOf({ caller, requestId, target, inputDigest }: RequestIdentity): string {
  return JSON.stringify([inputDigest, caller, requestId, target]);
}
