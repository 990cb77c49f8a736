import { type LedgerReport, ledgerName } from "../../audit/ledger-report.ts";
import { type Html, html } from "../html.ts";
import type { Gap, Summary } from "../summary.ts";
import { htmlTable } from "../table.ts";
import { formatCount, moment } from "./words.ts";

const meanings: Readonly<Record<string, string>> = {
  "records.missing":
    "The policy lets requests be answered when they can't be recorded. So many were, and nothing else is known of them.",
  "tail.repaired":
    "A crash interrupted the writing of a record. No request had been answered on it, so none is missing.",
  "log.gap": "How some requests ended, or what the proxy refused by itself, is not known. Decisions are complete.",
  "segment.deleted": "Old records were deleted as the retention policy says. What is left still verifies.",
};

/** What the ledgers themselves say that they lack. */
export function gapsSection({ gaps, gapsLeftOut, unknownOutcomes }: Summary, ledgers: readonly LedgerReport[]): Html {
  const uncovered = ledgers.filter((ledger) => ledger.uncovered > 0 && ledger.state !== "missing");
  return html`<section aria-labelledby="gaps"><h2 id="gaps">Gaps, and what they mean</h2>
<p>A ledger says by itself where it knows less than it should.</p>
${htmlTable<Gap>(
  "Gaps that the ledgers recorded",
  gaps,
  [
    { title: "When", cell: ({ time }) => moment(time) },
    { title: "Service", cell: ({ ledger }) => ledger.node },
    { title: "What", cell: ({ what, why }) => (why === "" ? what : `${what} (${why})`) },
    { title: "What it means", cell: ({ type }) => meanings[type] ?? "" },
  ],
  { empty: "None was recorded in this period.", leftOut: gapsLeftOut },
)}
<ul>
<li>${unknownOutcomes === 0 ? "Of every decision it is known, or still under way, how it ended." : `How ${formatCount(unknownOutcomes)} requests ended is not known: the proxy stopped before it said so. That they were decided, and how, is.`}</li>
<li>${uncovered.length === 0 ? "The witness covers every record." : html`Not covered by the witness yet: ${uncovered.map((ledger, index) => html`${index === 0 ? "" : ", "}${formatCount(ledger.uncovered)} of ${ledgerName(ledger)}`)}.`}</li>
</ul></section>`;
}
