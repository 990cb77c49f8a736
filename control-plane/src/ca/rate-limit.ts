/** A token bucket a key, time passed in. The least recently used keys are forgotten beyond `maxKeys`: memory is bounded. */
export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  readonly #limits: { readonly perSecond: number; readonly burst: number; readonly maxKeys: number };

  constructor(limits: { readonly perSecond: number; readonly burst: number; readonly maxKeys: number }) {
    this.#limits = limits;
  }

  /** Whether `key` may act once more now (Unix ms). */
  take(key: string, nowMs: number): boolean {
    const { perSecond, burst, maxKeys } = this.#limits;
    const { tokens, atMs } = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    const refilled = Math.min(burst, tokens + (Math.max(0, nowMs - atMs) / 1000) * perSecond);
    const allowed = refilled >= 1;
    // Deleted first: a Map keeps the order of insertion, so the first key is the least recently used.
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: allowed ? refilled - 1 : refilled, atMs: nowMs });
    const oldest = this.#buckets.keys().next().value;
    if (this.#buckets.size > maxKeys && oldest !== undefined) this.#buckets.delete(oldest);
    return allowed;
  }
}
