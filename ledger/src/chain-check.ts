import type { FindingList } from "./finding-list.ts";
import { type Digest, headAfter, leafOf } from "./hash.ts";
import type { Line } from "./line.ts";

/** Records `from` to `to` did not stand where they should. */
interface Gap {
  readonly from: number;
  readonly to: number;
  readonly segment: number;
}

/** A line that stood where another was due. */
interface Stray {
  readonly seq: number | undefined;
  readonly before: number;
  readonly segment: number;
}

interface Point {
  readonly head: Digest;
  readonly expected: number;
}

/** More are not told apart. */
const MAX_GAPS = 10_000;

/**
 * Follows the chain from line to line, and where one does not fit says what became of it. It goes on from the head that the line
 * states: what was changed is found once, not in everything behind it. Only then can a second change be told from the first.
 */
export class ChainCheck {
  readonly #findings: FindingList;
  #head: Digest;
  #expected = 0;
  /** Where the chain last held, while it does not. */
  #held: (Point & { readonly gaps: number }) | undefined;
  /** The last line's head as it should have been, where it says another. */
  #computed: Digest | undefined;
  #gaps: Gap[] = [];
  readonly #strays: Stray[] = [];

  constructor(genesis: Digest, findings: FindingList) {
    this.#head = genesis;
    this.#findings = findings;
  }

  get head(): Digest {
    return this.#head;
  }

  /** Number of the next record. */
  get expected(): number {
    return this.#expected;
  }

  /** Goes on elsewhere: after a segment that is not there, or isn't the one that should be. */
  resume(point: Point): void {
    this.#head = point.head;
    this.#expected = point.expected;
    this.#held = undefined;
    this.#computed = undefined;
  }

  /** Whether the line now is the ledger's last: false for one that stands out of its place. */
  add(line: Line, segment: number): boolean {
    const { head, leaf, seq } = line;
    const due = this.#expected;
    if (head !== undefined && seq === due && headAfter(this.#head, leaf) === head) return this.#hold(head);
    if (this.#isAfter(line, this.#computed, due) && head !== undefined) {
      const altered = this.#findings.takeLast("altered");
      if (altered !== undefined) {
        const message = `the head before record ${due - 1} was changed`;
        this.#findings.add({ ...altered, kind: "head_altered", message }, due - 1);
      }
      return this.#hold(head);
    }
    const held = this.#held;
    if (held !== undefined && head !== undefined && this.#isAfter(line, held.head, held.expected)) {
      this.#recallStray(held, segment);
      this.#expected = held.expected;
      return this.#hold(head);
    }
    return this.#misfit(line, segment);
  }

  #isAfter({ seq, leaf, head }: Line, previous: Digest | undefined, due: number): boolean {
    return previous !== undefined && seq === due && head !== undefined && headAfter(previous, leaf) === head;
  }

  #hold(head: Digest): true {
    this.#head = head;
    this.#expected++;
    this.#held = undefined;
    this.#computed = undefined;
    return true;
  }

  /** What was taken for the record due was a line before it. */
  #recallStray(held: Point & { readonly gaps: number }, segment: number): void {
    this.#findings.takeLast("altered");
    const gap = this.#gaps[held.gaps];
    this.#gaps = this.#gaps.slice(0, held.gaps);
    this.#strays.push({ seq: gap === undefined ? held.expected : gap.to + 1, before: held.expected, segment });
  }

  #misfit(line: Line, segment: number): boolean {
    const { head, seq } = line;
    const due = this.#expected;
    if (head === undefined || seq === undefined || seq === due || this.#isRenumbered(line)) {
      return this.#alter(line, segment);
    }
    if (seq > due) {
      this.#held ??= { head: this.#head, expected: due, gaps: this.#gaps.length };
      if (this.#gaps.length < MAX_GAPS) this.#gaps.push({ from: due, to: seq - 1, segment });
      this.#head = head;
      this.#expected = seq + 1;
      this.#computed = undefined;
      return true;
    }
    if (seq === due - 1 && head === this.#head) {
      this.#findings.add({ kind: "duplicated", message: `record ${seq} stands there twice`, segment, seq }, due);
    } else this.#strays.push({ seq, before: due, segment });
    return false;
  }

  /** The record due, if only its number was not changed. */
  #isRenumbered({ payload, head }: Line): boolean {
    const renumbered = payload.toString("latin1").replace(/^\{"seq":[0-9]+/, `{"seq":${this.#expected}`);
    return headAfter(this.#head, leafOf(Buffer.from(renumbered, "latin1"))) === head;
  }

  #alter({ head, leaf, payload }: Line, segment: number): true {
    const due = this.#expected;
    const what = payload.length === 0 ? "is no line of a ledger" : "does not fit its head: it was changed";
    this.#findings.add({ kind: "altered", message: `record ${due} ${what}`, segment, seq: due }, due);
    const computed = headAfter(this.#head, leaf);
    this.#held ??= { head: this.#head, expected: due, gaps: this.#gaps.length };
    this.#computed = head === undefined || head === computed ? undefined : computed;
    this.#head = head ?? computed;
    this.#expected++;
    return true;
  }

  /** What is missing and what stands where it shouldn't; a record that is both was moved. */
  finish(): void {
    for (const { seq, before, segment } of this.#strays) {
      if (seq !== undefined && this.#fill(seq)) {
        const message = `record ${seq} stands before record ${before}`;
        this.#findings.add({ kind: "reordered", message, segment, seq }, Math.min(seq, before));
      } else {
        const which = seq === undefined ? "a line" : `another record ${seq}`;
        const message = `${which} stands before record ${before}`;
        this.#findings.add({ kind: "inserted", message, segment, seq: before }, before);
      }
    }
    for (const { from, to, segment } of this.#gaps) {
      const message = from === to ? `record ${from} is missing` : `records ${from} to ${to} are missing`;
      this.#findings.add({ kind: "missing", message, segment, seq: from, ...(to > from ? { toSeq: to } : {}) }, from);
    }
  }

  #fill(seq: number): boolean {
    const index = this.#gaps.findIndex(({ from, to }) => from <= seq && seq <= to);
    const gap = this.#gaps[index];
    if (gap === undefined) return false;
    const { from, to, segment } = gap;
    const rest = [
      { from, to: seq - 1, segment },
      { from: seq + 1, to, segment },
    ].filter((part) => part.from <= part.to);
    this.#gaps.splice(index, 1, ...rest);
    return true;
  }
}
