interface Entry<Place> {
  readonly atMs: number;
  readonly place: Place;
}

/** Decisions whose outcome nobody has told yet, oldest first; at most so many: beyond, the oldest is given up. */
export class PendingDecisions<Place> {
  readonly #most: number;
  readonly #entries = new Map<string, Entry<Place>>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Where the oldest stands. */
  get oldest(): Place | undefined {
    for (const { place } of this.#entries.values()) return place;
    return undefined;
  }

  /** `place`: at or before its record. Returns the decision that is given up, where there are too many. */
  add(id: string, atMs: number, place: Place): string | undefined {
    this.#entries.set(id, { atMs, place });
    if (this.#entries.size <= this.#most) return undefined;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return oldest;
    }
    return undefined;
  }

  delete(id: string): boolean {
    return this.#entries.delete(id);
  }

  /** Those from before that time: they stay until they are deleted. A clock that jumps back makes them wait. */
  before(timeMs: number): readonly string[] {
    const ids: string[] = [];
    for (const [id, { atMs }] of this.#entries) {
      if (atMs >= timeMs) break;
      ids.push(id);
    }
    return ids;
  }
}
