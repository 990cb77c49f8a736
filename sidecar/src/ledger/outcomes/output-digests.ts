interface Entry {
  /** A digest of it is being made. */
  open: boolean;
  /** Nothing more is to come of it. */
  settled: boolean;
  digest: string | undefined;
  /** Whoever waits. */
  wake: () => void;
}

/** Of those whose outcome waits, and can't be told yet. */
const MOST = 200_000;
/** Envoy's line is read half a second after the answer's end, or at once: longer than that no digest is behind it. */
const WAIT_MS = 500;

/** Digests of answers, from their decision to the record of their outcome, which may be at hand before or after them. */
export class OutputDigests {
  readonly #entries = new Map<string, Entry>();
  readonly #waitMs: number;
  readonly #most: number;

  constructor(options: { readonly waitMs?: number; readonly most?: number } = {}) {
    this.#waitMs = options.waitMs ?? WAIT_MS;
    this.#most = options.most ?? MOST;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The answer to this decision is to be digested. */
  expect(id: string): void {
    this.#entries.set(id, { open: false, settled: false, digest: undefined, wake: () => undefined });
    if (this.#entries.size <= this.#most) return;
    for (const oldest of this.#entries.keys()) {
      this.forget(oldest);
      return;
    }
  }

  /** False where nobody asks for it, or it is made already. */
  begin(id: string): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined || entry.open || entry.settled) return false;
    entry.open = true;
    return true;
  }

  /** Undefined: the answer did not come to its end. */
  end(id: string, digest: string | undefined): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.open = false;
    entry.settled = true;
    entry.digest = digest;
    entry.wake();
  }

  /** Waits a little for one that is not there yet. The same again until it is forgotten. */
  async of(id: string): Promise<string | undefined> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    if (!entry.settled) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const late = setTimeout(resolve, this.#waitMs, undefined);
      entry.wake = () => resolve(undefined);
      await promise;
      clearTimeout(late);
      // Whoever asks again does not wait again.
      entry.settled = true;
    }
    return entry.digest;
  }

  /** Its outcome is recorded, or never will be. */
  forget(id: string): void {
    this.#entries.get(id)?.wake();
    this.#entries.delete(id);
  }

  /** Nobody has told its outcome so far; an answer that is under way may still end. */
  giveUp(id: string): void {
    if (this.#entries.get(id)?.open !== true) this.forget(id);
  }
}
