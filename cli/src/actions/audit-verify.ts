import type { Command } from "commander";
import { isSound } from "../audit/ledger-report.ts";
import { openLedgers } from "../audit/open-ledgers.ts";
import { loadTrust } from "../audit/trust.ts";
import { verifyAll } from "../audit/verify-all.ts";
import type { VerifyOptions } from "../commands/audit.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import { renderLedgers } from "../screen/ledgers.ts";
import type { Session } from "../session.ts";
import { verifyProofFile } from "./audit-verify-proof.ts";

export async function verifyLedgers(session: Session, command: Command, options: VerifyOptions): Promise<ExitCode> {
  const { all = false, proof } = options;
  if (proof !== undefined) {
    if (all || options.ledger !== undefined)
      throw new CliError("usage", "--proof verifies a file by itself: --all and --ledger do not apply");
    return await verifyProofFile(session, command, proof, options);
  }
  const format = session.format(command);
  // Asked before the ledgers are read: what is written meanwhile must not look as if it had been cut.
  const trust = await loadTrust(session, command, options);
  if (all && trust.witnessed === undefined)
    throw new CliError("unreachable", `--all needs to know which ledgers there are, and ${trust.notes.join("; ")}`);
  const ledgers = await openLedgers(options.ledger, session.host.env);
  const { reports, notes } = await verifyAll(ledgers, trust, all);
  const isGood = reports.every(isSound);
  session.print(
    format === "table"
      ? renderLedgers(reports, notes, { ...session.tableOptions(command), nowMs: session.host.now() })
      : renderDocument({ good: isGood, ledgers: reports, roots: trust.rootDigests, notVerified: notes }, format),
  );
  return isGood ? exitCodes.ok : exitCodes.bad;
}
