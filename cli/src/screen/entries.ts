import { type Entry, happenedAt } from "../audit/entry.ts";
import { reasonOf } from "../audit/reasons.ts";
import { endOf, formatCount, kindOf, whatOf, whoOf, whyOf } from "../audit/words.ts";
import { count } from "./count.ts";
import { cut } from "./cut.ts";
import { type Paint, plain, type Style } from "./paint.ts";
import { type Cell, renderTable, type TableOptions } from "./table.ts";

/** What a search found, oldest first. */
export interface Found {
  readonly entries: readonly Entry[];
  /** Older ones that the limit left out. */
  readonly leftOut: number;
  /** Records that are encrypted, and for which there was no key. */
  readonly closed: number;
}

const kindStyles: Readonly<Record<string, Style>> = { allow: "good", deny: "bad" };

export function renderFound({ entries, leftOut, closed }: Found, options: TableOptions = {}): string {
  const { paint = plain } = options;
  const titles = ["TIME", "ID", "VERDICT", "WHO", "WHAT", "ENDED", "WHY"];
  const table = entries.length === 0 ? "" : `${renderTable({ titles, rows: entries.map(renderEntry) }, options)}\n`;
  return `${table}${summary(entries, leftOut)}${closedLine(closed, paint)}`;
}

function renderEntry({ record, outcome }: Entry): readonly Cell[] {
  const kind = kindOf(record);
  const style = kindStyles[kind];
  return [
    { text: happenedAt(record) },
    { text: cut(idOf(record) ?? "–", 36) },
    style === undefined ? { text: kind } : { text: kind, style },
    { text: cut(whoOf(record), 40) },
    { text: cut(whatOf(record), 48) },
    { text: endOf(record, outcome) || "–" },
    { text: cut(why(record), 400) },
  ];
}

/** What the caller was told. */
function idOf(record: Entry["record"]): string | undefined {
  if (record.type === "decision") return record.id;
  return record.type === "refusal" ? record.request : undefined;
}

function why(record: Entry["record"]): string {
  const repeats = record.type === "decision" && record.repeats !== undefined ? `repeats ${record.repeats}` : "";
  return [repeats, whyOf(record)].filter((part) => part !== "").join("; ");
}

function summary(entries: readonly Entry[], leftOut: number): string {
  const repeats = entries.filter(({ record }) => record.type === "decision" && record.repeats !== undefined).length;
  const requests = entries.filter(({ record }) => isRequest(record.type)).length - repeats;
  const refused = entries.filter(
    ({ record }) => reasonOf(record) !== undefined && !(record.type === "decision" && record.repeats !== undefined),
  ).length;
  const others = entries.length - requests - repeats;
  const words = [
    ...(requests > 0 || others === 0
      ? [`${formatCount(requests)} ${requests === 1 ? "request" : "requests"}, ${formatCount(refused)} refused`]
      : []),
    ...(repeats > 0 ? [count(repeats, "repeat")] : []),
    ...(others > 0 ? [count(others, "other record")] : []),
    ...(leftOut > 0
      ? [
          `${formatCount(leftOut)} older ${leftOut === 1 ? "one" : "ones"} not shown: narrow the search, or raise --limit`,
        ]
      : []),
  ];
  return `${words.join("; ")}\n`;
}

function isRequest(type: Entry["record"]["type"]): boolean {
  return type === "decision" || type === "refusal" || type === "connection.refused";
}

/** That something was not looked at must not look like that nothing was there. */
export function closedLine(closed: number, paint: Paint): string {
  return closed === 0
    ? ""
    : `${paint("middling", "!")} ${formatCount(closed)} ${closed === 1 ? "record is" : "records are"} encrypted and were not looked at: give their key with --encryption-key FILE\n`;
}
