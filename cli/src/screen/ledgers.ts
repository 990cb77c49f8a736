import { isSound, type LedgerReport, type LedgerState, ledgerName } from "../audit/ledger-report.ts";
import { formatCount } from "../audit/words.ts";
import { age } from "./age.ts";
import { count } from "./count.ts";
import { cut } from "./cut.ts";
import { plain, type Style } from "./paint.ts";
import { printable } from "./printable.ts";
import { renderTable, type TableOptions } from "./table.ts";

const states: Readonly<Record<LedgerState, { readonly text: string; readonly style: Style }>> = {
  verified: { text: "✓ whole", style: "good" },
  signed: { text: "! signatures only", style: "middling" },
  chained: { text: "! chain only", style: "middling" },
  damaged: { text: "✗ damaged", style: "bad" },
  missing: { text: "✗ missing", style: "bad" },
};

/** Of one ledger; more are counted. */
const MAX_PROBLEMS = 20;

/** A row for each ledger, then what is wrong, then what could not be verified, then all of it in one line. */
export function renderLedgers(
  ledgers: readonly LedgerReport[],
  notes: readonly string[],
  { nowMs, ...options }: TableOptions & { readonly nowMs: number },
): string {
  const { paint = plain } = options;
  const titles = ["LEDGER", "RECORDS", "SEGMENTS", "CHECKPOINTS", "WITNESSED", "NOT YET", "VERIFIED"];
  const rows = ledgers.map((ledger) => {
    const { state, records, segments, checkpoints, witnessedAt, uncovered } = ledger;
    return [
      { text: cut(ledgerName(ledger), 60) },
      ...[records, segments, checkpoints].map((number) => ({ text: formatCount(number) })),
      { text: witnessedAt === null ? "never" : `${age(witnessedAt, nowMs)} ago` },
      { text: state === "missing" ? "–" : formatCount(uncovered) },
      states[state],
    ];
  });
  const problems = ledgers.flatMap((ledger) => {
    const { problems, problemsLeftOut } = ledger;
    const left = problemsLeftOut + Math.max(0, problems.length - MAX_PROBLEMS);
    return [
      ...problems
        .slice(0, MAX_PROBLEMS)
        .map(({ message }) => `${paint("bad", "✗")} ${printable(`${ledgerName(ledger)}: ${message}`)}\n`),
      ...(left === 0 ? [] : [`  and ${formatCount(left)} more\n`]),
    ];
  });
  const deleted = ledgers
    .filter(({ deletedSegments }) => deletedSegments > 0)
    .map(
      (ledger) => `${printable(ledgerName(ledger))}: ${count(ledger.deletedSegments, "segment")} deleted, as it says\n`,
    );
  const doubts = notes.map((note) => `${paint("middling", "!")} not verified: ${printable(note)}\n`);
  const parts = [renderTable({ titles, rows }, options), problems.join(""), deleted.join(""), doubts.join("")];
  return `${parts.filter((part) => part !== "").join("\n")}\n${summary(ledgers, notes, paint)}`;
}

function summary(
  ledgers: readonly LedgerReport[],
  notes: readonly string[],
  paint: NonNullable<TableOptions["paint"]>,
): string {
  const bad = ledgers.filter((ledger) => !isSound(ledger)).length;
  const records = `${formatCount(ledgers.reduce((sum, ledger) => sum + ledger.records, 0))} records`;
  if (bad > 0)
    return `${paint("bad", "✗")} ${bad} of ${count(ledgers.length, "ledger")} damaged or missing; ${records}\n`;
  const whole = ledgers.every(({ state }) => state === "verified") && notes.length === 0;
  return whole
    ? `${paint("good", "✓")} ${count(ledgers.length, "ledger")}, ${records}, all verified\n`
    : `${paint("middling", "!")} ${count(ledgers.length, "ledger")}, ${records}: nothing is wrong in what could be verified\n`;
}
