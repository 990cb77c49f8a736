import type { LedgerIdentity, LedgerRecord } from "@hedgerow/ledger";
import { type Entry, isEntryRecord } from "./entry.ts";
import { isSelected, type Selection } from "./selection.ts";

/** Decisions that wait for their outcome in order, and then out of order. An entry has about 1 KiB. */
export interface JoinLimits {
  readonly ordered: number;
  readonly late: number;
}

const DEFAULT_LIMITS: JoinLimits = { ordered: 20_000, late: 100_000 };

/**
 * Puts each selected decision of one ledger together with its outcome, which follows later among others. Entries come in the
 * ledger's order, but for one whose outcome comes later than `ordered` others: that comes when its outcome does. One that has none
 * after `late` such comes without.
 */
export class OutcomeJoin {
  readonly #identity: LedgerIdentity;
  readonly #selection: Selection;
  readonly #limits: JoinLimits;
  /** What has not been given away yet, in order; Maps keep it. By seq. */
  readonly #ordered = new Map<number, Entry>();
  readonly #late = new Map<number, Entry>();
  /** Decision id → seq of those without an outcome. */
  readonly #open = new Map<string, number>();

  constructor(identity: LedgerIdentity, selection: Selection, limits: JoinLimits = DEFAULT_LIMITS) {
    this.#identity = identity;
    this.#selection = selection;
    this.#limits = limits;
  }

  /** The next record of the ledger; what it completes. */
  add(record: LedgerRecord, segment: number): readonly Entry[] {
    if (record.type === "outcome") {
      const seq = this.#open.get(record.id);
      if (seq === undefined) return [];
      this.#open.delete(record.id);
      const late = this.#late.get(seq);
      if (late !== undefined) {
        this.#late.delete(seq);
        return [{ ...late, outcome: record }];
      }
      const entry = this.#ordered.get(seq);
      if (entry !== undefined) this.#ordered.set(seq, { ...entry, outcome: record });
      return this.#release();
    }
    if (!isEntryRecord(record) || !isSelected(this.#selection, record)) return [];
    if (record.type === "decision") this.#open.set(record.id, record.seq);
    this.#ordered.set(record.seq, { ledger: this.#identity, segment, record });
    return this.#release();
  }

  /** The ledger ended: what still waits comes without its outcome. */
  end(): readonly Entry[] {
    const rest = [...this.#late.values(), ...this.#ordered.values()];
    this.#late.clear();
    this.#ordered.clear();
    this.#open.clear();
    return rest;
  }

  #release(): readonly Entry[] {
    const done: Entry[] = [];
    for (const [seq, entry] of this.#ordered) {
      const waits = entry.record.type === "decision" && entry.outcome === undefined;
      if (waits && this.#ordered.size <= this.#limits.ordered) break;
      this.#ordered.delete(seq);
      if (!waits) done.push(entry);
      else {
        this.#late.set(seq, entry);
        done.push(...this.#giveUp());
      }
    }
    return done;
  }

  #giveUp(): readonly Entry[] {
    if (this.#late.size <= this.#limits.late) return [];
    for (const [seq, entry] of this.#late) {
      this.#late.delete(seq);
      if (entry.record.type === "decision") this.#open.delete(entry.record.id);
      return [entry];
    }
    return [];
  }
}
