import { describe, expect, it } from "vitest";
import type { LedgerReport, LedgerState } from "../audit/ledger-report.ts";
import { decision, denial, digitsLedger, outcome, policyEdit, refusal, written } from "../testing/records.ts";
import { type Evidence, renderReport } from "./report.ts";
import { SummaryCounter } from "./summary.ts";

const range = { fromMs: Date.parse("2026-11-01"), toMs: Date.parse("2026-12-01") };
const hostile = `</td><script>alert(1)</script>" onload="x' &amp; \u001b[31m\u202e`;

function ledger(state: LedgerState, changes: Partial<LedgerReport> = {}): LedgerReport {
  const { ledger: id, node, spiffe, policy } = digitsLedger;
  return {
    directory: "/audit/models.models",
    ledger: id,
    node,
    spiffe,
    policy,
    state,
    records: 7,
    segments: 1,
    checkpoints: 2,
    witnessedAt: "2026-11-24T09:00:10.000Z",
    witnessedSeq: 6,
    uncovered: 0,
    problems: [],
    problemsLeftOut: 0,
    deletedSegments: 0,
    ...changes,
  };
}

function evidence(changes: Partial<Evidence> = {}): Evidence {
  return {
    madeAt: "2026-12-01T10:00:00.000Z",
    version: "0.1.0",
    trustDomains: ["bank.example"],
    rootDigests: ["ab".repeat(32)],
    witnessAsked: true,
    notes: [],
    ledgers: [ledger("verified")],
    summary: new SummaryCounter(range).summary(),
    ...changes,
  };
}

/** The words of a page, without its tags. */
const words = (page: string): string =>
  page
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ");

describe("the report", () => {
  it("of nothing says so everywhere", () => {
    const text = words(renderReport(evidence({ ledgers: [] })));
    for (const sentence of [
      "There are no ledgers.",
      "Nobody asked anything in this period.",
      "Nothing was refused in this period.",
      "None was recorded in this period.",
    ])
      expect(text).toContain(sentence);
  });

  it.each<[state: LedgerState, changes: Partial<Evidence>, tone: string, words: string]>([
    ["verified", {}, "good", "✓ The ledger is verified"],
    ["verified", { witnessAsked: false }, "doubt", "! 1 ledger verified; whether any is missing is not known"],
    ["signed", {}, "doubt", "! 1 of 1 ledger could be verified in part only"],
    ["chained", {}, "doubt", "! 1 of 1 ledger could be verified in part only"],
    ["damaged", {}, "bad", "✗ 1 of 1 ledger can&#39;t be relied on"],
    ["missing", {}, "bad", "✗ 1 of 1 ledger can&#39;t be relied on"],
  ])("says first of a ledger that is %s what to think of it (%j)", (state, changes, tone, sentence) => {
    const page = renderReport(evidence({ ledgers: [ledger(state)], ...changes }));
    expect(page).toContain(`<section class="verdict ${tone}" aria-label="Verification"><p><strong>${sentence}`);
    expect(page.indexOf("verdict ")).toBeLessThan(page.indexOf("<h2"));
  });

  it("counts requests by caller and refusals by reason, repeats not at all", () => {
    const counter = new SummaryCounter(range);
    const bodies = [
      decision("A"),
      decision("B", { repeats: "A" }),
      denial("C"),
      denial("D", { reason: "malformed" }),
      refusal("r-1", { at: "2026-11-24T09:00:00.000Z" }),
      outcome("A", { result: "unknown" }),
    ];
    for (const [seq, body] of bodies.entries()) counter.add(written(seq, body), digitsLedger);
    counter.add(written(9, denial("E"), "2026-10-31T23:59:59.999Z"), digitsLedger);
    const summary = counter.summary();
    expect(summary).toMatchObject({ requests: 4, refused: 3, repeats: 1, unknownOutcomes: 1 });
    expect(summary.callers).toMatchObject([
      { caller: "apps/batch-job", requests: 3, refused: 3 },
      { caller: "apps/reader", requests: 1, refused: 0 },
    ]);
    expect(summary.refusals.map(({ reason, count, examples }) => [reason, count, examples])).toEqual([
      ["access", 1, ["C"]],
      ["malformed", 1, ["D"]],
      ["too_large", 1, ["r-1"]],
    ]);
    expect(words(renderReport(evidence({ summary })))).toContain(
      "apps/batch-job no rule allowed this caller to do this 1",
    );
  });

  it("has nothing of hostile records but harmless text", () => {
    const counter = new SummaryCounter(range);
    const bodies = [
      denial(hostile, { caller: hostile, model: hostile, reason: hostile }),
      refusal(hostile, { caller: hostile, details: hostile, path: hostile, at: hostile }),
      policyEdit("update", {
        kind: hostile,
        name: hostile,
        by: hostile,
        where: hostile,
        problem: hostile,
        spec: { [hostile]: hostile },
      }),
      policyEdit("update", { by: hostile, spec: hostile }),
      { type: "records.missing", requests: 1, from: hostile, to: hostile, reason: hostile },
      { type: "audit.read", command: hostile, by: hostile, ledgers: [], query: hostile },
      { type: "token.created", node: hostile, token: "t", reusable: false, expires: hostile, by: hostile },
    ] as const;
    const opened = {
      type: "segment.opened",
      format: 1,
      ledger: "x",
      segment: 0,
      node: hostile,
      spiffe: hostile,
      policy: hostile,
      region: hostile,
      previous: "",
    } as const;
    counter.add({ seq: 0, time: hostile, ...opened }, digitsLedger);
    for (const [seq, body] of bodies.entries()) counter.add(written(seq + 1, body), { ...digitsLedger, node: hostile });
    const problems = [{ message: hostile, segment: 0, seq: 1, decision: hostile }];
    const page = renderReport(
      evidence({
        summary: counter.summary(),
        trustDomains: [hostile],
        notes: [hostile],
        rootDigests: [hostile],
        ledgers: [ledger("damaged", { node: hostile, policy: hostile, witnessedAt: hostile, problems })],
      }),
    );
    expect(page).not.toMatch(/<script|alert\(1\)<\/script|\son\w+=["']|javascript:/i);
    for (const character of ["\u001b", "\u202e"]) expect(page).not.toContain(character);
    expect(page.match(/&lt;script&gt;alert\(1\)/g)?.length).toBeGreaterThan(10);
    // Every tag is one that the report itself writes.
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/gi)].map(([, tag]) => tag));
    expect(
      [...tags].filter((tag) => ["script", "img", "iframe", "link", "object", "form", "a"].includes(tag ?? "")),
    ).toEqual([]);
  });

  it("fetches nothing, and says so to the browser", () => {
    const page = renderReport(evidence());
    expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    expect(page).not.toMatch(/\b(src|href)=|url\(|@import/);
  });

  it("stays readable whatever there is: long lists are cut, and say so", () => {
    const counter = new SummaryCounter(range);
    for (let seq = 0; seq < 1_000; seq += 1) {
      counter.add(written(seq, denial(`ID${seq}`, { caller: `spiffe://bank.example/ns/n/sa/${seq}` })), digitsLedger);
      counter.add(written(seq, { type: "tail.repaired", segment: 0, bytes: 1 }), digitsLedger);
    }
    const page = renderReport(evidence({ summary: counter.summary() }));
    expect(page.length).toBeLessThan(300_000);
    expect(words(page)).toContain("800 more rows are not shown here");
  });
});
