import type { Command } from "commander";
import { announceRead } from "../audit/announce.ts";
import { describeQuery, parseSelection } from "../audit/choose.ts";
import { csvHeader, csvRow } from "../audit/csv.ts";
import type { Entry } from "../audit/entry.ts";
import { viewEntry } from "../audit/entry-view.ts";
import { openLedgers, readableLedgers, readEncryptionKey } from "../audit/open-ledgers.ts";
import { readEntries } from "../audit/read-entries.ts";
import { formatCount } from "../audit/words.ts";
import type { ExportOptions } from "../commands/audit.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderLine } from "../screen/document.ts";
import { closedLine } from "../screen/entries.ts";
import { plain } from "../screen/paint.ts";
import type { Session } from "../session.ts";
import { openPrivateFile, type PieceWriter } from "./private-stream.ts";

export async function exportLedgers(session: Session, command: Command, options: ExportOptions): Promise<ExitCode> {
  const { format, out, encryptionKey } = options;
  if (session.outputFile(command) !== undefined)
    throw new CliError("usage", "audit export has --format jsonl and --format csv: -o does not apply");
  const selection = parseSelection(options, session.host.now());
  const keys = readEncryptionKey(encryptionKey);
  const ledgers = readableLedgers(session, await openLedgers(options.ledger, session.host.env));
  await using writer = out === undefined ? standardOutput(session) : await openPrivateFile(out);
  await announceRead(session, command, {
    command: "export",
    ledgers: ledgers.map(({ identity }) => identity.ledger),
    query: describeQuery(options),
  });

  const line = format === "csv" ? csvRow : (entry: Entry) => renderLine(viewEntry(entry));
  let isRead = await writer.write(format === "csv" ? csvHeader : "");
  let [written, closed] = [0, 0];
  for (const ledger of ledgers)
    for await (const batch of readEntries(ledger, keys, selection)) {
      if (!isRead) return exitCodes.ok;
      closed += batch.closed;
      written += batch.entries.length;
      if (batch.entries.length > 0) isRead = await writer.write(batch.entries.map(line).join(""));
    }
  await writer.finish();
  if (out !== undefined) session.print(`${out}: ${formatCount(written)} ${written === 1 ? "record" : "records"}\n`);
  session.say(closedLine(closed, plain));
  return closed > 0 ? exitCodes.bad : exitCodes.ok;
}

function standardOutput({ host: { stdout } }: Session): PieceWriter {
  return {
    write(text) {
      stdout.write(text);
      return stdout.taken();
    },
    finish: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
