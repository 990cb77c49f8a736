import { toJsonString } from "@bufbuild/protobuf";
import { ListLedgersResponseSchema } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { Command } from "commander";
import { listLedgers } from "../audit/trust.ts";
import type { WitnessOptions } from "../commands/audit.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { count } from "../screen/count.ts";
import type { Session } from "../session.ts";
import { writePrivateFile } from "./write-file.ts";

export async function saveWitness(session: Session, command: Command, { out }: WitnessOptions): Promise<ExitCode> {
  if (session.outputFile(command) !== undefined)
    throw new CliError("usage", "audit witness writes JSON, whatever it is for: -o does not apply");
  const answer = await listLedgers(session, command);
  const text = `${toJsonString(ListLedgersResponseSchema, answer, { prettySpaces: 2 })}\n`;
  if (out === undefined) session.print(text);
  else {
    writePrivateFile(out, text);
    session.print(`${out}: ${count(answer.ledgers.length, "ledger")}, ${count(answer.trustBundle.length, "root")}\n`);
  }
  return exitCodes.ok;
}
