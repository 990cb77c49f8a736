import { type Entry, happenedAt } from "./entry.ts";
import { formatTensor, kindOf, modelOf, shortIdentity, whatOf, whoOf, whyOf } from "./words.ts";

/** Columns may be added at the end, never renamed or moved: spreadsheets rely on them. */
const columns: readonly (readonly [title: string, cell: (entry: Entry) => string | number | undefined])[] = [
  ["time", ({ record }) => happenedAt(record)],
  ["ledger", ({ ledger }) => ledger.ledger],
  ["node", ({ ledger }) => ledger.node],
  ["segment", ({ segment }) => segment],
  ["seq", ({ record }) => record.seq],
  ["type", ({ record }) => record.type],
  ["verdict", ({ record }) => kindOf(record)],
  ["decision", ({ record }) => (record.type === "decision" ? record.id : undefined)],
  ["repeats", ({ record }) => (record.type === "decision" ? record.repeats : undefined)],
  ["request", ({ record }) => (record.type === "decision" || record.type === "refusal" ? record.request : undefined)],
  ["who", ({ record }) => (record.type === "decision" || record.type === "refusal" ? record.caller : whoOf(record))],
  ["what", ({ record }) => whatOf(record)],
  ["model", ({ record }) => (record.type === "decision" ? modelOf(record) : undefined)],
  ["inputs", ({ record }) => (record.type === "decision" ? record.inputs?.map(formatTensor).join("; ") : undefined)],
  [
    "policy",
    ({ record }) =>
      record.type === "decision" ? record.access.policy : record.type === "refusal" ? record.policy : undefined,
  ],
  ["rule", ({ record }) => (record.type === "decision" ? record.access.rule : undefined)],
  ["why", ({ record }) => whyOf(record)],
  ["outcome", ({ outcome }) => outcome?.result],
  ["status", ({ record, outcome }) => outcome?.status ?? (record.type === "refusal" ? record.status : undefined)],
  [
    "grpc_status",
    ({ record, outcome }) => outcome?.grpcStatus ?? (record.type === "refusal" ? record.grpcStatus : undefined),
  ],
  ["duration_ms", ({ outcome }) => outcome?.durationMs],
  ["attempts", ({ outcome }) => outcome?.attempts],
  ["upstream", ({ outcome }) => outcome?.upstream],
  ["body_bytes", ({ record }) => (record.type === "decision" ? record.bodyBytes : undefined)],
  ["recorded_by", ({ ledger }) => shortIdentity(ledger.spiffe)],
];

export const csvHeader: string = csvLine(columns.map(([title]) => title));

export function csvRow(entry: Entry): string {
  return csvLine(columns.map(([, cell]) => cell(entry) ?? ""));
}

/** RFC 4180. */
function csvLine(cells: readonly (string | number)[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

/**
 * A spreadsheet runs text that begins as a formula (OWASP, "CSV injection"), also behind white space, and programs cut at NUL: such
 * text gets an apostrophe before it, control characters become U+FFFD.
 */
function csvCell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const clean = value.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (char) => (/\s/.test(char) ? " " : "\ufffd"));
  const safe = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/.test(clean) ? `'${clean}` : clean;
  return /[",;\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
