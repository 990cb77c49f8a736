import type { Command } from "commander";
import { askAdmin } from "../admin/client.ts";
import { CliError } from "../errors.ts";
import { cut } from "../screen/cut.ts";
import { printable } from "../screen/printable.ts";
import type { Session } from "../session.ts";

/** What the service takes; its characters have two units at most. */
const MAX_LEDGERS = 1_000;
const MAX_QUERY = 512;

/** Has the control plane record that somebody reads the audit, before the first record is shown; says so where it can't. */
export async function announceRead(
  session: Session,
  command: Command,
  read: { readonly command: string; readonly ledgers: readonly string[]; readonly query: string },
): Promise<void> {
  const request = {
    command: read.command,
    ledgers: read.ledgers.slice(0, MAX_LEDGERS),
    query: cut(printable(read.query), MAX_QUERY),
  };
  try {
    await askAdmin(session.endpoint(command), session.host.now(), (admin) => admin.recordAuditRead(request));
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    session.say(`hedgerow: this read was not recorded: ${printable(error.message)}\n`);
  }
}
