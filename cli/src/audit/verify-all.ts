import { type LedgerReport, ledgerName } from "./ledger-report.ts";
import type { LedgerDirectory } from "./open-ledgers.ts";
import type { Trust } from "./trust.ts";
import { missingLedger, verifyLedger } from "./verify-ledger.ts";

export interface Verified {
  readonly reports: readonly LedgerReport[];
  /** What could not be verified, and why. */
  readonly notes: readonly string[];
}

/** One ledger after the other; with `all` also those that the witness knows and nobody has. @throws CliError usage. */
export async function verifyAll(ledgers: readonly LedgerDirectory[], trust: Trust, all: boolean): Promise<Verified> {
  const reports: LedgerReport[] = [];
  for (const ledger of ledgers) reports.push(await verifyLedger(ledger, trust));
  const present = new Set(reports.map(({ ledger }) => ledger));
  if (all)
    for (const witnessed of trust.witnessed?.values() ?? [])
      if (!present.has(witnessed.ledger)) reports.push(missingLedger(witnessed));
  return { reports, notes: [...trust.notes, ...doubts(reports, trust)] };
}

function doubts(reports: readonly LedgerReport[], { roots, witnessed }: Trust): readonly string[] {
  if (roots.length === 0)
    return [
      "who wrote the ledgers, and whether they were written anew: there are no roots; give them with --roots FILE",
    ];
  if (witnessed === undefined)
    return ["whether a ledger is missing or its tail was cut: give what the witness knows with --witness FILE"];
  return reports.flatMap((report) => {
    if (report.state === "signed" && report.ledger !== null)
      return [
        witnessed.has(report.ledger)
          ? `${ledgerName(report)} holds no countersignature yet`
          : `${ledgerName(report)} is not known to the witness: it is seconds old, or another's`,
      ];
    return report.state === "chained" ? [`${ledgerName(report)} holds no checkpoint yet`] : [];
  });
}
