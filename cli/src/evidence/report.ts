// The report for people who read neither YAML nor terminals: one page, nothing that runs, nothing that is fetched.
import { isSound, type LedgerReport } from "../audit/ledger-report.ts";
import { type Html, html } from "./html.ts";
import { gapsSection } from "./sections/gaps.ts";
import { ledgersSection, verdict } from "./sections/ledgers.ts";
import { peopleSection } from "./sections/people.ts";
import { policiesSection } from "./sections/policies.ts";
import { requestsSection } from "./sections/requests.ts";
import { verifySection } from "./sections/verify.ts";
import { moment } from "./sections/words.ts";
import { style } from "./style.ts";
import type { Summary } from "./summary.ts";

export interface Evidence {
  /** ISO 8601; absent: from the first record, to the last. */
  readonly from?: string;
  readonly to?: string;
  readonly madeAt: string;
  /** Version of this program. */
  readonly version: string;
  readonly trustDomains: readonly string[];
  /** SHA-256 of the roots that signatures were verified against, hexadecimal. */
  readonly rootDigests: readonly string[];
  /** Whether the witness could be asked which ledgers there should be. */
  readonly witnessAsked: boolean;
  /** Why something could not be verified, in words. */
  readonly notes: readonly string[];
  readonly ledgers: readonly LedgerReport[];
  readonly summary: Summary;
}

export function renderReport(evidence: Evidence): string {
  const { madeAt, version, ledgers, summary } = evidence;
  const damaged = ledgers.filter((ledger) => !isSound(ledger)).length;
  const title = `Audit evidence${evidence.trustDomains.length === 0 ? "" : `: ${evidence.trustDomains.join(", ")}`}`;
  const page: Html = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${damaged > 0 ? "Damaged: " : ""}${title}</title>
<style>${{ kind: "html", text: style }}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="quiet">What was asked of the models, what was refused and why. ${period(evidence)}</p>
</header>
<main>
${verdict(evidence)}
${figures(summary, ledgers)}
${ledgersSection(evidence)}
${requestsSection(summary)}
${policiesSection(summary)}
${peopleSection(summary)}
${gapsSection(summary, ledgers)}
${verifySection(evidence)}
</main>
<footer><p>Made by hedgerow ${version} at ${moment(madeAt)}. All times are UTC, as the clocks of the machines that recorded them said.</p></footer>
</body>
</html>
`;
  return page.text;
}

function period({ from, to }: Evidence): Html {
  if (from === undefined && to === undefined) return html`The period: everything that was recorded.`;
  return html`The period: ${from === undefined ? "from the first record" : html`from ${moment(from)}`} ${to === undefined ? "to the last" : html`to ${moment(to)}`}.`;
}

function figures({ requests, refused, callers, gaps, gapsLeftOut }: Summary, ledgers: readonly LedgerReport[]): Html {
  const number = new Intl.NumberFormat("en-US");
  const pairs: readonly (readonly [string, number])[] = [
    ["requests", requests],
    ["of them refused", refused],
    ["callers", callers.length],
    ["ledgers", ledgers.length],
    ["gaps to know of", gaps.length + gapsLeftOut],
  ];
  return html`<dl class="figures">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${number.format(value)}</dd></div>`)}</dl>`;
}
