import { explainReason } from "../../audit/reasons.ts";
import { count } from "../../screen/count.ts";
import { type Html, html, nothing } from "../html.ts";
import type { Summary } from "../summary.ts";
import { htmlTable } from "../table.ts";
import { formatCount, moment } from "./words.ts";

export function requestsSection({
  callers,
  refusals,
  repeats,
  unknownOutcomes,
  payloads,
  closedRecords,
}: Summary): Html {
  return html`<section aria-labelledby="requests"><h2 id="requests">Requests and refusals</h2>
${closedRecords === 0 ? nothing : html`<p><strong>${count(closedRecords, "record")} are encrypted and could not be read for this report.</strong> What follows counts the others only.</p>`}
${htmlTable(
  "Who asked, and how often they were refused",
  callers,
  [
    { title: "Caller", cell: ({ caller }) => caller },
    { title: "Requests", kind: "number", cell: ({ requests }) => formatCount(requests) },
    { title: "Refused", kind: "number", cell: ({ refused }) => formatCount(refused) },
    { title: "Models", cell: ({ models }) => [...models].sort().join(", ") || "–" },
  ],
  { empty: "Nobody asked anything in this period." },
)}
${htmlTable(
  "What was refused, and why",
  refusals,
  [
    { title: "Caller", cell: ({ caller }) => caller },
    { title: "Why", cell: ({ reason }) => explainReason(reason) },
    { title: "Times", kind: "number", cell: (refusal) => formatCount(refusal.count) },
    { title: "First", cell: ({ first }) => moment(first) },
    { title: "Last", cell: ({ last }) => moment(last) },
    {
      title: "Some of them",
      cell: ({ examples }) => html`<ul class="plain">${examples.map((id) => html`<li><code>${id}</code></li>`)}</ul>`,
    },
  ],
  { empty: "Nothing was refused in this period." },
)}
<p class="quiet">A caller that is refused is told the number in the last column and nothing else. <code>hedgerow explain</code> with that number
says who it was, what was asked and which rule decided.
${repeats === 0 ? nothing : html` Not counted: ${formatCount(repeats)} automatic ${repeats === 1 ? "repetition" : "repetitions"} of requests that had been decided before.`}
${payloads === 0 ? nothing : html` Of ${formatCount(payloads)} ${payloads === 1 ? "request the content was" : "requests the contents were"} recorded, encrypted to the auditor.`}
${unknownOutcomes === 0 ? nothing : html` How ${formatCount(unknownOutcomes)} of the requests ended is not known.`}</p>
</section>`;
}
