import type { PolicyEdited, RecordHeader } from "@hedgerow/ledger";
import type { TimeRange } from "../audit/time-range.ts";

export type PolicyEdit = RecordHeader & PolicyEdited;

/** One object over a period. */
export interface PolicyView {
  /** KIND/NAMESPACE/NAME. */
  readonly name: string;
  readonly kind: string;
  /** What was in force when the period began; absent: it did not exist. */
  readonly before?: PolicyEdit;
  /** In the period, in order; `leftOut` earlier ones are not there. */
  readonly edits: readonly PolicyEdit[];
  readonly leftOut: number;
  /** What is in force at its end; absent: it was deleted. */
  readonly after?: PolicyEdit;
}

interface History {
  before?: PolicyEdit;
  after?: PolicyEdit;
  edits: PolicyEdit[];
  leftOut: number;
}

const MAX_POLICIES = 2_000;
const MAX_EDITS = 50;

/**
 * What was in force when, from the edits that control planes recorded. Replicas that each recorded the same edit count once; an edit
 * that was refused changes nothing.
 */
export class PolicyHistory {
  readonly #range: TimeRange;
  readonly #histories = new Map<string, History>();
  readonly #seen = new Set<string>();

  constructor(range: TimeRange) {
    this.#range = range;
  }

  /** Of one ledger in order; ledgers one after the other. */
  add(edit: PolicyEdit): void {
    const ms = Date.parse(edit.time);
    if (this.#range.toMs !== undefined && ms >= this.#range.toMs) return;
    const name = `${edit.kind}/${edit.namespace}/${edit.name}`;
    if (edit.generation !== undefined) {
      const key = `${name} ${edit.operation} ${edit.generation} ${edit.by}`;
      if (this.#seen.has(key)) return;
      if (this.#seen.size < MAX_POLICIES * MAX_EDITS) this.#seen.add(key);
    }
    const history = this.#histories.get(name) ?? { edits: [], leftOut: 0 };
    if (!this.#histories.has(name) && this.#histories.size >= MAX_POLICIES) return;
    this.#histories.set(name, history);
    const isEarlier = this.#range.fromMs !== undefined && ms < this.#range.fromMs;
    if (!isEarlier) {
      history.edits.push(edit);
      if (history.edits.length > MAX_EDITS) {
        history.edits.shift();
        history.leftOut += 1;
      }
    }
    if (edit.operation === "refused") return;
    if (isEarlier) history.before = later(history.before, edit);
    history.after = later(history.after, edit);
  }

  /** Objects that were in force or edited within the period, by name. */
  views(): readonly PolicyView[] {
    return [...this.#histories]
      .map(([name, { before, after, edits, leftOut }]) => ({
        name,
        kind: name.slice(0, name.indexOf("/")),
        ...(before === undefined || before.operation === "delete" ? {} : { before }),
        edits: edits.toSorted((a, b) => compare(a.time, b.time)),
        leftOut,
        ...(after === undefined || after.operation === "delete" ? {} : { after }),
      }))
      .filter(({ before, edits }) => before !== undefined || edits.length > 0)
      .sort((a, b) => compare(a.name, b.name));
  }
}

/** The later of two; a deletion too, or what another replica recorded earlier would bring the object back. */
function later(known: PolicyEdit | undefined, edit: PolicyEdit): PolicyEdit {
  return known !== undefined && known.time > edit.time ? known : edit;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
