// What a report tells of a period, counted from records as they come.
import type { LedgerIdentity, LedgerRecord, RecordHeader } from "@hedgerow/ledger";
import { happenedAt, isEntryRecord } from "../audit/entry.ts";
import { reasonOf } from "../audit/reasons.ts";
import { isWithin, type TimeRange } from "../audit/time-range.ts";
import { modelOf, whatOf, whoOf, whyOf } from "../audit/words.ts";
import { PolicyHistory, type PolicyView } from "./policies.ts";
import { Tally } from "./tally.ts";

export interface CallerCount {
  readonly caller: string;
  requests: number;
  refused: number;
  readonly models: Set<string>;
}

export interface RefusalCount {
  readonly caller: string;
  readonly reason: string;
  count: number;
  first: string;
  last: string;
  /** What to look a few of them up by: decision or request ids. */
  readonly examples: string[];
}

export interface Gap {
  readonly ledger: LedgerIdentity;
  readonly time: string;
  readonly type: string;
  readonly what: string;
  readonly why: string;
}

export interface Act {
  readonly time: string;
  readonly who: string;
  readonly what: string;
}

export interface Summary {
  readonly requests: number;
  readonly refused: number;
  /** Retries and hedges, which are not counted as requests. */
  readonly repeats: number;
  /** Decisions of which Envoy never said how they ended. */
  readonly unknownOutcomes: number;
  readonly payloads: number;
  readonly closedRecords: number;
  readonly callers: readonly CallerCount[];
  readonly refusals: readonly RefusalCount[];
  readonly policies: readonly PolicyView[];
  readonly gaps: readonly Gap[];
  readonly gapsLeftOut: number;
  readonly reads: readonly Act[];
  readonly readsLeftOut: number;
  readonly certificates: number;
  readonly tokens: readonly Act[];
  readonly tokensLeftOut: number;
  /** Time of the last record that could be read, by the ledger's UUID. */
  readonly lastRecords: ReadonlyMap<string, string>;
  readonly regions: readonly { readonly region: string; readonly nodes: readonly string[] }[];
}

/** Lists longer than that nobody reads: the rest is counted. */
const MAX_LISTED = 500;
const MAX_EXAMPLES = 3;

class Listed<T> {
  readonly items: T[] = [];
  leftOut = 0;

  add(item: T): void {
    if (this.items.length < MAX_LISTED) this.items.push(item);
    else this.leftOut += 1;
  }
}

export class SummaryCounter {
  readonly #range: TimeRange;
  readonly #callers = new Tally<CallerCount>((caller) => ({ caller, requests: 0, refused: 0, models: new Set() }));
  readonly #refusals = new Tally<RefusalCount>((key) => {
    const split = key.indexOf("\n");
    const [reason, caller] = [key.slice(0, Math.max(0, split)), key.slice(split + 1)];
    return { caller, reason, count: 0, first: "", last: "", examples: [] };
  });
  readonly #regions = new Tally<{ region: string; nodes: Set<string> }>((region) => ({ region, nodes: new Set() }));
  readonly #lastRecords = new Map<string, string>();
  readonly #policies: PolicyHistory;
  readonly #gaps = new Listed<Gap>();
  readonly #reads = new Listed<Act>();
  readonly #tokens = new Listed<Act>();
  readonly #counts = {
    requests: 0,
    refused: 0,
    repeats: 0,
    unknownOutcomes: 0,
    payloads: 0,
    closedRecords: 0,
    certificates: 0,
  };

  constructor(range: TimeRange) {
    this.#range = range;
    this.#policies = new PolicyHistory(range);
  }

  add(record: LedgerRecord, ledger: LedgerIdentity): void {
    this.#lastRecords.set(ledger.ledger, record.time);
    if (record.type === "segment.opened") {
      this.#regions.at(record.region ?? "").nodes.add(record.node);
      return;
    }
    // What was in force at the beginning was edited before it.
    if (record.type === "policy.edited") this.#policies.add(record);
    if (!isWithin(this.#range, isEntryRecord(record) ? happenedAt(record) : record.time)) return;
    this.#count(record, ledger);
  }

  /** Records that are encrypted, and for which there is no key. */
  addClosed(records: number): void {
    this.#counts.closedRecords += records;
  }

  summary(): Summary {
    return {
      ...this.#counts,
      callers: this.#callers.values().toSorted((a, b) => b.requests - a.requests),
      refusals: this.#refusals.values().toSorted((a, b) => b.count - a.count),
      policies: this.#policies.views(),
      gaps: this.#gaps.items,
      gapsLeftOut: this.#gaps.leftOut,
      reads: this.#reads.items,
      readsLeftOut: this.#reads.leftOut,
      tokens: this.#tokens.items,
      tokensLeftOut: this.#tokens.leftOut,
      lastRecords: this.#lastRecords,
      regions: this.#regions.values().map(({ region, nodes }) => ({ region, nodes: [...nodes].sort() })),
    };
  }

  #count(record: Exclude<LedgerRecord, { type: "segment.opened" }>, ledger: LedgerIdentity): void {
    switch (record.type) {
      case "decision":
        if (record.payload !== undefined) this.#counts.payloads += 1;
        if (record.repeats !== undefined) {
          this.#counts.repeats += 1;
          return;
        }
        this.#countRequest(record, record.id, modelOf(record));
        return;
      case "refusal":
        this.#countRequest(record, record.request ?? "", undefined);
        return;
      case "connection.refused":
        this.#countRefusal("no identity", record, "");
        return;
      case "outcome":
        if (record.result === "unknown") this.#counts.unknownOutcomes += 1;
        return;
      case "records.missing":
      case "tail.repaired":
      case "log.gap":
      case "segment.deleted":
        this.#gaps.add({ ledger, time: record.time, type: record.type, what: whatOf(record), why: whyOf(record) });
        return;
      case "certificate.issued":
        this.#counts.certificates += 1;
        return;
      case "token.created":
        this.#tokens.add({ time: record.time, who: record.by, what: whatOf(record) });
        return;
      case "audit.read":
        this.#reads.add({
          time: record.time,
          who: record.by,
          what: [whatOf(record), record.query].filter(Boolean).join(": "),
        });
        return;
      case "policy.edited":
      case "segment.closed":
        return;
    }
  }

  #countRequest(record: Parameters<typeof whoOf>[0], id: string, model: string | undefined): void {
    const caller = whoOf(record);
    const count = this.#callers.at(caller);
    count.requests += 1;
    this.#counts.requests += 1;
    if (model !== undefined && count.models.size < 20) count.models.add(model);
    if (reasonOf(record) === undefined) return;
    count.refused += 1;
    this.#counts.refused += 1;
    this.#countRefusal(caller, record, id);
  }

  #countRefusal(caller: string, record: Parameters<typeof whoOf>[0] & RecordHeader, id: string): void {
    const count = this.#refusals.at(`${(reasonOf(record) ?? "other").replaceAll("\n", " ")}\n${caller}`);
    const time = happenedAt(record);
    count.count += 1;
    if (count.first === "" || time < count.first) count.first = time;
    if (time > count.last) count.last = time;
    if (id !== "" && count.examples.length < MAX_EXAMPLES) count.examples.push(id);
  }
}
