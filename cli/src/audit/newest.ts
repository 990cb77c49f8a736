import { type Entry, happenedAt } from "./entry.ts";

const timeOf = ({ record }: Entry): string => happenedAt(record);

function compare(a: Entry, b: Entry): number {
  const [left, right] = [timeOf(a), timeOf(b)];
  return left < right ? -1 : left > right ? 1 : a.record.seq - b.record.seq;
}

/** Keeps the newest entries of many, in memory for twice as many. */
export class Newest {
  readonly #limit: number;
  #kept: Entry[] = [];
  #seen = 0;

  /** 0: all. */
  constructor(limit: number) {
    this.#limit = limit === 0 ? Number.POSITIVE_INFINITY : limit;
  }

  add(entry: Entry): void {
    this.#seen += 1;
    this.#kept.push(entry);
    if (this.#kept.length >= 2 * this.#limit + 1_000) this.#kept = this.#newest();
  }

  /** Oldest first, and how many older ones there were. */
  result(): { readonly entries: readonly Entry[]; readonly leftOut: number } {
    const entries = this.#newest();
    return { entries, leftOut: this.#seen - entries.length };
  }

  #newest(): Entry[] {
    const sorted = this.#kept.toSorted(compare);
    return sorted.length > this.#limit ? sorted.slice(-this.#limit) : sorted;
  }
}
