import type { FindingList } from "./finding-list.ts";
import { type Digest, toHex } from "./hash.ts";
import type { SegmentDeleted } from "./record.ts";

interface Point {
  readonly expected: number;
  readonly head: Digest;
}

/** Segments `from` to `to` are not there; the chain stood at `before`, and goes on at `after`. */
interface Missing {
  readonly from: number;
  readonly to: number;
  readonly before: Point;
  readonly after: Point;
}

/** Which segments there are, and whether those that are not were deleted as a record says. */
export class SegmentCheck {
  readonly #findings: FindingList;
  #last = -1;
  readonly #missing: Missing[] = [];
  #missed: { readonly from: number; readonly to: number } | undefined;
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
  finish(end: number): readonly number[] {
    const lawful: number[] = [];
    if (this.#missed !== undefined) this.#miss(this.#missed.from, this.#missed.to, end);
    for (const { from, to, before, after } of this.#missing) {
      const segments = Array.from({ length: to - from + 1 }, (_, index) => from + index);
      const absent = segments.filter((segment) => !this.#deletions.has(segment));
      const [first, last] = [absent[0], absent.at(-1)];
      if (first !== undefined && last !== undefined) {
        this.#miss(first, last, before.expected);
        continue;
      }
      const deletions = segments.flatMap((segment) => this.#deletions.get(segment) ?? []);
      // Each ends with a record that it does not count.
      const records = deletions.reduce((sum, deletion) => sum + deletion.records + 1, 0);
      if (before.expected + records === after.expected && deletions.at(-1)?.head === toHex(after.head)) {
        lawful.push(...segments);
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
