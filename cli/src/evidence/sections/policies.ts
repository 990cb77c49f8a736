import { type Html, html, nothing } from "../html.ts";
import type { PolicyEdit, PolicyView } from "../policies.ts";
import { describePolicy } from "../policy-words.ts";
import type { Summary } from "../summary.ts";
import { moment } from "./words.ts";

const kindNames: Readonly<Record<string, string>> = {
  AccessPolicy: "Who may call",
  AuditPolicy: "What is recorded",
  TrafficPolicy: "How requests travel",
  HTTPRoute: "Where requests go",
  MeshConfig: "Settings of the whole mesh",
};
const operations: Readonly<Record<PolicyEdit["operation"], string>> = {
  create: "made",
  update: "changed",
  delete: "removed",
  refused: "an edit was refused",
};
const MOST = 200;

export function policiesSection({ policies }: Summary): Html {
  const known = policies.filter(({ kind }) => Object.hasOwn(kindNames, kind));
  const others = policies.filter(({ kind, edits }) => !Object.hasOwn(kindNames, kind) && edits.length > 0);
  return html`<section aria-labelledby="policies"><h2 id="policies">Policies in force, and who edited them</h2>
${
  policies.length === 0
    ? html`<p>No ledger here holds edits of policies. They are in the control plane's own ledger: was it given?</p>`
    : html`<p>What the control plane's own ledger recorded of every policy that was in force at any time of the period.</p>`
}
${known.slice(0, MOST).map(renderPolicy)}
${known.length > MOST ? html`<p class="quiet">${known.length - MOST} more policies are not shown here.</p>` : nothing}
${others.length === 0 ? nothing : html`<h3>Other edits</h3><ul>${others.slice(0, MOST).flatMap(({ name, edits }) => edits.slice(-5).map((edit) => html`<li>${name} ${renderEdit(edit)}</li>`))}</ul>`}
</section>`;
}

function renderPolicy({ kind, name, before, after, edits, leftOut }: PolicyView): Html {
  return html`<h3>${kindNames[kind] ?? kind}: ${name.slice(kind.length + 1)}</h3>
${
  after === undefined
    ? html`<p>It was not in force at the end of the period.</p>`
    : html`<ul>${describePolicy(after).map((sentence) => html`<li>${sentence}</li>`)}</ul>`
}
${
  edits.length === 0
    ? html`<p class="quiet">Not edited in the period${before === undefined ? "" : html`; last by ${before.by} at ${moment(before.time)}`}.</p>`
    : html`<p class="quiet">Edits in the period:</p><ul>${
        before === undefined
          ? nothing
          : html`<li>when it began, as ${before.by} had left it at ${moment(before.time)}${said(before)}</li>`
      }${edits.map((edit) => html`<li>${renderEdit(edit)}${edit === after ? "; so it stands" : said(edit)}</li>`)}</ul>`
}
${leftOut === 0 ? nothing : html`<p class="quiet">${leftOut} earlier edits are not shown here.</p>`}`;
}

function renderEdit({ operation, by, time, where, problem }: PolicyEdit): Html {
  return html`${operations[operation]} by <strong>${by}</strong> at ${moment(time)}${where === undefined ? nothing : html` (${where})`}${problem === undefined ? nothing : html`: ${problem}`}`;
}

/** What an edit said that is not what stands at the end. */
function said(edit: PolicyEdit): Html {
  const sentences = edit.operation === "refused" ? [] : describePolicy(edit);
  return sentences.length === 0 ? nothing : html`<br><span class="quiet">It said: ${sentences.join(" ")}</span>`;
}
