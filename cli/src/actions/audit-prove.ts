import { proveRecord } from "@hedgerow/ledger/store";
import type { Command } from "commander";
import { announceRead } from "../audit/announce.ts";
import { parseReference } from "../audit/choose.ts";
import { chooseRequest } from "../audit/choose-request.ts";
import { findRequests } from "../audit/find-decision.ts";
import { openLedgers, readableLedgers, readEncryptionKey, unlessUnreadable } from "../audit/open-ledgers.ts";
import type { ProveOptions } from "../commands/audit.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import type { Session } from "../session.ts";
import { writePrivateFile } from "./write-file.ts";

export async function proveDecision(
  session: Session,
  command: Command,
  id: string,
  options: ProveOptions,
): Promise<ExitCode> {
  if (session.outputFile(command) !== undefined)
    throw new CliError(
      "usage",
      "audit prove writes JSON, which is what `audit verify --proof` reads: -o does not apply",
    );
  const reference = parseReference(id);
  const keys = readEncryptionKey(options.encryptionKey);
  const ledgers = readableLedgers(session, await openLedgers(options.ledger, session.host.env));
  await announceRead(session, command, {
    command: "prove",
    ledgers: ledgers.map(({ identity }) => identity.ledger),
    query: id,
  });

  const { ledger, record } = chooseRequest(reference, await findRequests(ledgers, keys, reference));
  const proof = await unlessUnreadable(ledger.directory, () => proveRecord(ledger.directory, record.seq));
  if (proof === undefined)
    throw new CliError(
      "bad",
      `no checkpoint covers record ${record.seq} of ${ledger.directory} yet: one is signed every ten seconds, while the sidecar and its control plane run; try again`,
    );
  if (proof.witness === undefined)
    session.say(
      "hedgerow: warning: the witness has not countersigned this yet: try again later for a proof that has it\n",
    );
  const text = renderDocument(proof, "json");
  if (options.out === undefined) session.print(text);
  else {
    writePrivateFile(options.out, text);
    session.print(`${options.out}: proves record ${record.seq} of ledger ${ledger.identity.ledger}\n`);
  }
  return exitCodes.ok;
}
