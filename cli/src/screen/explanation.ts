import type { Explanation, RecordCheck } from "../audit/explanation.ts";
import { formatCount, formatTensor, modelOf, shortIdentity } from "../audit/words.ts";
import { cut } from "./cut.ts";
import type { Paint, Style } from "./paint.ts";
import { printable } from "./printable.ts";

const checks: Readonly<Record<RecordCheck["state"], { readonly mark: string; readonly style: Style }>> = {
  witnessed: { mark: "✓", style: "good" },
  signed: { mark: "!", style: "middling" },
  uncovered: { mark: "!", style: "middling" },
  unchecked: { mark: "!", style: "middling" },
  damaged: { mark: "✗", style: "bad" },
};
const MAX_INPUTS = 16;
const MAX_ATTEMPTS = 16;
const MAX_LINE = 2_000;

/** The questions that a person has, in their order. */
export function renderExplanation(view: Explanation, paint: Paint): string {
  const { id, request, time, verdict, status, check } = view;
  const title = id ?? request ?? "a request without an id";
  const answer =
    verdict === "allow"
      ? paint("good", "let through")
      : paint("bad", status === null ? "refused" : `refused with ${status}`);
  const lines: readonly (readonly [string, string])[] = [
    ["when", time],
    ["who", who(view.caller)],
    ["what", what(view)],
    ...view.inputs.slice(0, MAX_INPUTS).map((input) => ["", formatTensor(input)] as const),
    ...(view.inputs.length > MAX_INPUTS ? [["", `and ${view.inputs.length - MAX_INPUTS} more`] as const] : []),
    ...view.why.map((sentence, index) => [index === 0 ? "why" : "", sentence] as const),
    ["ended", view.ended],
    ...attempts(view),
    ...(id === null || request === null ? [] : [["request", request] as const]),
    [
      "where",
      `record ${formatCount(view.recorded.seq)} of ${view.recorded.node}'s ledger ${view.recorded.ledger}, segment ${view.recorded.segment}`,
    ],
    ["", view.recorded.directory],
  ];
  const { mark, style } = checks[check.state];
  const table = lines
    .map(([name, text]) => `${paint("quiet", name.padEnd(9))}${cut(printable(text), MAX_LINE)}\n`)
    .join("");
  return `${paint("heading", printable(title))}  ${answer}\n${table}${paint(style, mark)} ${printable(check.message)}\n`;
}

function who(caller: string | null): string {
  if (caller === null) return "a caller without an identity (plain text)";
  const short = shortIdentity(caller);
  return short === caller ? caller : `${short} (${caller})`;
}

function what({ method, model, version, protocol, bodyBytes }: Explanation): string {
  const named = modelOf({ ...(model !== null && { model }), ...(version !== null && { version }) });
  const subject = [method, named].filter((part) => part !== undefined).join(" ");
  return [
    subject,
    protocol === null ? "" : ` over ${protocol}`,
    bodyBytes === null ? "" : `, ${formatCount(bodyBytes)} bytes`,
  ].join("");
}

function attempts({ attempts: all }: Explanation): readonly (readonly [string, string])[] {
  const shown = all.slice(0, MAX_ATTEMPTS).map(({ id, time, node, verdict, repeats, outcome }, index) => {
    const ended =
      outcome === null ? "" : outcome.result === "unknown" ? ", end unknown" : `, ${outcome.status ?? "answered"}`;
    const relation = repeats ? "repeated as" : "same request id:";
    return [index === 0 ? "also" : "", `${relation} ${id} at ${node}, ${time}: ${verdict}${ended}`] as const;
  });
  return all.length > MAX_ATTEMPTS ? [...shown, ["", `and ${all.length - MAX_ATTEMPTS} more`]] : shown;
}
