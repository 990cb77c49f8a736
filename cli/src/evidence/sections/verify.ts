import { type Html, html, nothing } from "../html.ts";
import type { Evidence } from "../report.ts";

/** So that nobody has to believe this page. */
export function verifySection({ from, to, rootDigests, notes }: Evidence): Html {
  const range = [from === undefined ? "" : ` --from ${from}`, to === undefined ? "" : ` --to ${to}`].join("");
  return html`<section aria-labelledby="verify"><h2 id="verify">How to verify this independently</h2>
<p>This page is a summary, and no proof by itself. The proof is in the ledgers; whoever has a copy of them can check it without trusting
those who made this page:</p>
<ol>
<li>Get the ledgers' directories, the mesh's root certificates (<code>roots.pem</code>), and what the witness knows (<code>witness.json</code>), each from those who keep it.</li>
<li>Compare the fingerprint of the roots with the one that you were given by another way.${rootDigests.length === 0 ? nothing : html` Here it was SHA-256 ${rootDigests.map((digest) => html`<code>${digest}</code> `)}`}</li>
<li>Run <code>hedgerow audit verify --all --ledger LEDGERS --roots roots.pem --witness witness.json</code>, or the independent verifier
<code>verify-ledger.py</code>, which is short enough to read and shares nothing with Hedgerow.</li>
<li>Make this page anew: <code>hedgerow evidence${range} --ledger LEDGERS --roots roots.pem --witness witness.json -o report.html</code></li>
</ol>
<p>A single decision can be proved to someone who may not see the others: <code>hedgerow audit prove DECISION-ID</code>.</p>
${notes.length === 0 ? nothing : html`<h3>What was not verified here</h3><ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`}
</section>`;
}
