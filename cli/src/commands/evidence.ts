import type { Command } from "commander";
import type { Session } from "../session.ts";
import {
  addEncryptionOption,
  addLedgerOption,
  addTrustOptions,
  type EncryptionOptions,
  type LedgerOptions,
} from "./audit-options.ts";
import { examples } from "./examples.ts";

export interface EvidenceOptions extends LedgerOptions, EncryptionOptions {
  readonly from?: string;
  readonly to?: string;
}

export function addEvidence(program: Command, session: Session): void {
  const command = program
    .command("evidence")
    .summary("a report for people who read neither YAML nor terminals")
    .description(
      "Writes one HTML page about a period, to read, print and file: whether the ledgers verify, who asked what and was refused why, " +
        "which policies were in force and who edited them, who read the audit, where data is, and what is not known. It " +
        "fetches nothing and runs nothing.",
    )
    .option("--from <time>", "from then on: 2026-11-24, 2026-11-24T10:00:00Z, or how long ago: 24h, 7d (default: all)")
    .option("--to <time>", "before then, written the same way (default: now)")
    .option("-o, --output <file>", "write it there instead of printing it");
  addEncryptionOption(addTrustOptions(addLedgerOption(command)))
    .addHelpText(
      "after",
      examples(
        session,
        `
Examples:
  $ hedgerow evidence --from 2026-10-01 --to 2026-11-01 -o october.html

  As an auditor, on copies:
  $ hedgerow evidence --ledger ledgers/ --roots roots.pem --witness witness.json -o report.html

Ends with 0 when the report is written and every ledger verifies, with 1 when one does not: the report says which.`,
      ),
    )
    .action(async (options: EvidenceOptions, command: Command) => {
      const { writeEvidence } = await import("../actions/evidence.ts");
      session.exitCode = await writeEvidence(session, command, options);
    });
}
