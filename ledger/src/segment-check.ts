import type { SegmentRange } from "./finding.ts";
import type { FindingList } from "./finding-list.ts";
import { type Digest, toHex } from "./hash.ts";
import type { SegmentDeleted } from "./record.ts";

interface Point {
  readonly expected: number;
  readonly head: Digest;
}

/** Segments `from` to `to` are not there; the chain stood at `before`, and goes on at `after`. */
interface Missing extends SegmentRange {
  readonly before: Point;
  readonly after: Point;
}

/** Which segments there are, and whether those that are not were deleted as a record says. */
export class SegmentCheck {
  readonly #findings: FindingList;
  #last = -1;
  readonly #missing: Missing[] = [];
  #missed: SegmentRange | undefined;
  readonly #deletions = new Map<number, SegmentDeleted>();
  /** Head after each that was read to its end. */
  readonly #ends = new Map<number, { readonly records: number; readonly head: string }>();
  /** The segment before the next was none of this place. */
  isAfterStranger = false;

  constructor(findings: FindingList) {
    this.#findings = findings;
  }

  /** Whether those before it are missing. */
  begin(segment: number): boolean {
    const from = this.#last + 1;
    this.#last = segment;
    this.#missed = segment > from ? { from, to: segment - 1 } : undefined;
    return this.#missed !== undefined;
  }

  resumed(before: Point, after: Point): void {
    if (this.#missed !== undefined) this.#missing.push({ ...this.#missed, before, after });
    this.#missed = undefined;
  }

  ended(segment: number, records: number, head: string): void {
    this.#ends.set(segment, { records, head });
  }

  deleted(record: SegmentDeleted, seq: number): void {
    const { segment, records, head } = record;
    const end = this.#ends.get(segment);
    const earlier = this.#deletions.get(segment);
    const isOther = (other: { readonly records: number; readonly head: string } | undefined) =>
      other !== undefined && (other.records !== records || other.head !== head);
    if (isOther(end) || isOther(earlier)) {
      const message = `record ${seq} says that segment ${segment} was deleted, but not as it was`;
      this.#findings.add({ kind: "deletion", message, segment, seq }, seq);
    }
    this.#deletions.set(segment, record);
  }

  /** Those that were deleted lawfully. */
  finish(end: number): readonly SegmentRange[] {
    const lawful: SegmentRange[] = [];
    if (this.#missed !== undefined) this.#miss(this.#missed.from, this.#missed.to, end);
    for (const { from, to, before, after } of this.#missing) {
      // Names of files are anybody's: no more is walked through than records say.
      let known = to + 1;
      while (known > from && this.#deletions.has(known - 1)) known--;
      // The oldest goes first: what says so of those before it went with a segment that was deleted later.
      if (known > to || (known > from && from > 0)) {
        const recorded = [...this.#deletions.keys()].filter((segment) => segment >= from && segment < known);
        this.#miss(Math.max(from, ...recorded.map((segment) => segment + 1)), known - 1, before.expected);
        continue;
      }
      let records = 0;
      // Each ends with a record that it does not count.
      for (let segment = known; segment <= to; segment++) records += (this.#deletions.get(segment)?.records ?? 0) + 1;
      const fits = known === from ? before.expected + records === after.expected : records < after.expected;
      if (fits && this.#deletions.get(to)?.head === toHex(after.head)) {
        lawful.push({ from, to });
        continue;
      }
      const message = `segments ${from} to ${to} were deleted, but what follows does not continue them`;
      this.#findings.add({ kind: "deletion", message, segment: from, seq: before.expected }, before.expected);
    }
    return lawful;
  }

  #miss(from: number, to: number, at: number): void {
    const segments = from === to ? `segment ${from} is` : `segments ${from} to ${to} are`;
    const message = `${segments} missing, and no record says that it was deleted`;
    this.#findings.add({ kind: "segment_missing", message, segment: from, seq: at }, at);
  }
}
