import { isSound, type LedgerReport, type LedgerState, ledgerName } from "../../audit/ledger-report.ts";
import { count } from "../../screen/count.ts";
import { type Html, html, nothing } from "../html.ts";
import type { Evidence } from "../report.ts";
import { htmlTable } from "../table.ts";
import { formatCount, moment } from "./words.ts";

const states: Readonly<Record<LedgerState, { readonly text: string; readonly tone: "good" | "bad" | "doubt" }>> = {
  verified: { text: "✓ whole, witnessed", tone: "good" },
  signed: { text: "! whole, no witness", tone: "doubt" },
  chained: { text: "! order only", tone: "doubt" },
  damaged: { text: "✗ damaged", tone: "bad" },
  missing: { text: "✗ missing", tone: "bad" },
};

/** The first thing seen: may the rest be believed? */
export function verdict({ ledgers, witnessAsked, notes, summary: { gaps } }: Evidence): Html {
  const bad = ledgers.filter((ledger) => !isSound(ledger));
  const doubtful = ledgers.filter(({ state }) => state === "signed" || state === "chained");
  const all = count(ledgers.length, "ledger");
  if (bad.length > 0)
    return banner("bad", `✗ ${bad.length} of ${all} can't be relied on`, [
      "Records were removed or altered, or a ledger is missing. What this report counts may be wrong or incomplete; the table below says where.",
    ]);
  if (doubtful.length > 0)
    return banner("doubt", `! ${doubtful.length} of ${all} could be verified in part only`, [
      "Nothing contradicts these records, but it could not be shown that nobody wrote them anew.",
      ...notes,
    ]);
  if (!witnessAsked)
    return banner("doubt", `! ${all} verified; whether any is missing is not known`, [
      "Every record in them is as it was written. The witness, which remembers what ledgers there are, could not be asked.",
      ...notes,
    ]);
  return banner("good", ledgers.length === 1 ? "✓ The ledger is verified" : `✓ All ${all} are verified`, [
    "Up to what the witness last saw, every record is as it was written, in its order, and none is missing.",
    ...(gaps.some(({ type }) => type === "segment.deleted")
      ? ["Old records were deleted as the policy of retention says; the gaps below name them."]
      : []),
  ]);
}

function banner(tone: "good" | "bad" | "doubt", title: string, lines: readonly string[]): Html {
  return html`<section class="verdict ${tone}" aria-label="Verification"><p><strong>${title}</strong></p>${lines.map((line) => html`<p>${line}</p>`)}</section>`;
}

export function ledgersSection({ ledgers, summary: { regions, lastRecords } }: Evidence): Html {
  const damaged = ledgers.filter(({ problems }) => problems.length > 0);
  return html`<section aria-labelledby="ledgers"><h2 id="ledgers">The ledgers</h2>
<p>A ledger is a book that each protected service keeps by itself: a line for every decision, each line bound to the one before by a fingerprint.
Every few seconds the book's state is signed, and a witness elsewhere keeps a copy of that signature.</p>
${htmlTable(
  "Ledgers and what their verification found",
  ledgers,
  [
    { title: "Service (audit policy)", cell: (ledger) => ledgerName(ledger) },
    { title: "Verification", cell: ({ state }) => states[state].text, tone: ({ state }) => states[state].tone },
    { title: "Records", kind: "number", cell: ({ records }) => formatCount(records) },
    { title: "Last record", cell: ({ ledger }) => moment(lastRecords.get(ledger ?? "") ?? "–") },
    { title: "Last witnessed", cell: ({ witnessedAt }) => (witnessedAt === null ? "never" : moment(witnessedAt)) },
    {
      title: "Records since then",
      kind: "number",
      cell: ({ uncovered, state }) => (state === "missing" ? "–" : formatCount(uncovered)),
    },
  ],
  { empty: "There are no ledgers.", most: 500 },
)}
<p class="quiet">Records since the last witnessed moment are in order, but the machine that wrote them could still replace them.</p>
${damaged.length === 0 ? nothing : html`<h3>What is wrong</h3><ul>${damaged.map(renderProblems)}</ul>`}
<h3>Where the data is</h3>
${regions.length === 0 ? html`<p>No ledger says.</p>` : html`<ul>${regions.map(({ region, nodes }) => html`<li>${region === "" ? "No region is attested" : html`<strong>${region}</strong>`}: ${nodes.length > 20 ? `${nodes.slice(0, 20).join(", ")} and ${nodes.length - 20} more` : nodes.join(", ")}</li>`)}</ul>`}
</section>`;
}

function renderProblems(ledger: LedgerReport): Html {
  const { problems, problemsLeftOut } = ledger;
  return html`<li>${ledgerName(ledger)}<ul>${problems.slice(0, 20).map(({ message }) => html`<li>${message}</li>`)}${
    problems.length > 20 || problemsLeftOut > 0
      ? html`<li>and ${Math.max(0, problems.length - 20) + problemsLeftOut} more</li>`
      : nothing
  }</ul></li>`;
}
