import type { LedgerRecord } from "@hedgerow/ledger";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decision, denial, digitsLedger, outcome, refusal, written } from "../testing/records.ts";
import type { Entry } from "./entry.ts";
import { type JoinLimits, OutcomeJoin } from "./join-outcomes.ts";
import type { Selection } from "./selection.ts";

const everything: Selection = { types: new Set(), range: {} };

function joined(records: readonly LedgerRecord[], selection = everything, limits?: JoinLimits): readonly Entry[] {
  const join = new OutcomeJoin(digitsLedger, selection, limits);
  return [...records.flatMap((record) => join.add(record, 0)), ...join.end()];
}
const shown = (entries: readonly Entry[]) =>
  entries.map(({ record, outcome }) => `${record.seq}${outcome === undefined ? "" : `:${outcome.status}`}`);

describe("decisions and their outcomes", () => {
  it("are nothing of an empty ledger", () => {
    expect(joined([])).toEqual([]);
  });

  it("keep the ledger's order though they end in another", () => {
    const records = [
      written(0, decision("A")),
      written(1, decision("B")),
      written(2, refusal("r")),
      written(3, outcome("B", { status: 500 })),
      written(4, outcome("A")),
      written(5, decision("C")),
    ];
    expect(shown(joined(records))).toEqual(["0:200", "1:500", "2", "5"]);
  });

  it("belong together whatever else is selected away", () => {
    const records = [written(0, decision("A")), written(1, denial("B")), written(2, outcome("B", { status: 403 }))];
    expect(shown(joined(records, { ...everything, verdict: "deny" }))).toEqual(["1:403"]);
  });

  it("come late rather than hold up more than the limit, and without an outcome rather than fill the memory", () => {
    const records = [
      ...["A", "B", "C", "D", "E"].map((id, seq) => written(seq, decision(id))),
      ...["E", "D", "C", "B", "A"].map((id, index) => written(5 + index, outcome(id, { status: 200 + index }))),
    ];
    const entries = shown(joined(records, everything, { ordered: 2, late: 2 }));
    expect(entries).toEqual(["0", "3:201", "4:200", "2:202", "1:203"]);
  });

  it("are each given once, with their own outcome, in any order", () => {
    const ids = fc.uniqueArray(fc.integer({ min: 0, max: 1_000 }), { maxLength: 30 });
    fc.assert(
      fc.property(ids, fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 5 }), (numbers, ordered, late) => {
        const records: LedgerRecord[] = [
          ...numbers.map((number, seq) => written(seq, decision(String(number)))),
          ...numbers
            .toSorted((a, b) => a - b)
            .map((number, index) => written(100 + index, outcome(String(number), { status: number }))),
        ];
        const entries = joined(records, everything, { ordered, late });
        expect(entries.map(({ record }) => record.seq).toSorted((a, b) => a - b)).toEqual(numbers.map((_, seq) => seq));
        const strangers = entries.filter(
          ({ record, outcome: ended }) =>
            ended !== undefined && record.type === "decision" && record.id !== String(ended.status),
        );
        expect(strangers).toEqual([]);
      }),
    );
  });
});
