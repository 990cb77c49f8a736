import { type Html, html } from "../html.ts";
import type { Act, Summary } from "../summary.ts";
import { type Column, htmlTable } from "../table.ts";
import { formatCount, moment } from "./words.ts";

const columns: readonly Column<Act>[] = [
  { title: "When", cell: ({ time }) => moment(time) },
  { title: "Who", cell: ({ who }) => who },
  { title: "What", cell: ({ what }) => what },
];

/** Who looked, and whom the control plane let in. */
export function peopleSection({ reads, readsLeftOut, tokens, tokensLeftOut, certificates }: Summary): Html {
  return html`<section aria-labelledby="people"><h2 id="people">Who read these records, and who was let in</h2>
${htmlTable("Reads of the audit", reads, columns, { empty: "No read of these records is recorded in this period.", leftOut: readsLeftOut })}
${htmlTable("Tokens made, by which a new service may join", tokens, columns, { empty: "No token for a new service was made in this period.", leftOut: tokensLeftOut })}
<p>Certificates issued in this period: ${formatCount(certificates)}. Each is short-lived and proves who a service or a person is.</p>
</section>`;
}
