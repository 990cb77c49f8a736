import type { Command } from "commander";
import { announceRead } from "../audit/announce.ts";
import { describeQuery, parseSelection } from "../audit/choose.ts";
import { viewEntry } from "../audit/entry-view.ts";
import { Newest } from "../audit/newest.ts";
import { openLedgers, readableLedgers, readEncryptionKey } from "../audit/open-ledgers.ts";
import { readEntries } from "../audit/read-entries.ts";
import type { SearchOptions } from "../commands/audit.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument, renderLine } from "../screen/document.ts";
import { closedLine, type Found, renderFound } from "../screen/entries.ts";
import { plain } from "../screen/paint.ts";
import type { Session } from "../session.ts";

export async function searchLedgers(session: Session, command: Command, options: SearchOptions): Promise<ExitCode> {
  const format = session.format(command);
  const selection = parseSelection(options, session.host.now());
  const newest = new Newest(parseLimit(options.limit));
  const keys = readEncryptionKey(options.encryptionKey);
  const ledgers = readableLedgers(session, await openLedgers(options.ledger, session.host.env));
  await announceRead(session, command, {
    command: "search",
    ledgers: ledgers.map(({ identity }) => identity.ledger),
    query: describeQuery(options),
  });

  let closed = 0;
  for (const ledger of ledgers)
    for await (const batch of readEntries(ledger, keys, selection)) {
      closed += batch.closed;
      for (const entry of batch.entries) newest.add(entry);
    }
  const found: Found = { ...newest.result(), closed };
  if (format === "table") session.print(renderFound(found, session.tableOptions(command)));
  else {
    session.print(
      format === "yaml"
        ? renderDocument(found.entries.map(viewEntry), format)
        : found.entries.map((entry) => renderLine(viewEntry(entry))).join(""),
    );
    session.say(closedLine(closed, plain));
  }
  return exitCodes.ok;
}

function parseLimit(text: string): number {
  if (!/^[0-9]{1,7}$/.test(text))
    throw new CliError("usage", `--limit ${text} is no number of records from 0 to 9999999`);
  return Number(text);
}
