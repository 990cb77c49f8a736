import type { Command } from "commander";
import { announceRead } from "../audit/announce.ts";
import { describeQuery } from "../audit/choose.ts";
import { isSound } from "../audit/ledger-report.ts";
import { openLedgers, readableLedgers, readEncryptionKey } from "../audit/open-ledgers.ts";
import { parseTimeRange } from "../audit/parse-time-range.ts";
import { readOpenRecords } from "../audit/read-entries.ts";
import { loadTrust } from "../audit/trust.ts";
import { verifyAll } from "../audit/verify-all.ts";
import type { EvidenceOptions } from "../commands/evidence.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderReport } from "../evidence/report.ts";
import { SummaryCounter } from "../evidence/summary.ts";
import { count } from "../screen/count.ts";
import { isOutputFormat, type Session } from "../session.ts";
import { cliVersion } from "../version.ts";
import { openPrivateFile } from "./private-stream.ts";

export async function writeEvidence(session: Session, command: Command, options: EvidenceOptions): Promise<ExitCode> {
  const { host } = session;
  const out = session.outputFile(command);
  if (isOutputFormat(out))
    throw new CliError("usage", `evidence writes HTML: -o names the file, as in -o report.html, not -o ${out}`);
  const nowMs = host.now();
  const given = { ...(options.from && { from: options.from }), ...(options.to && { to: options.to }) };
  const range = parseTimeRange(given, nowMs);
  const keys = readEncryptionKey(options.encryptionKey);
  const trust = await loadTrust(session, command, options);
  const ledgers = await openLedgers(options.ledger, host.env);
  const known = readableLedgers(session, ledgers);
  await announceRead(session, command, {
    command: "evidence",
    ledgers: known.map(({ identity }) => identity.ledger),
    query: describeQuery(given),
  });

  // Every ledger that the witness knows has to be there: a report that leaves one out would say less than it seems to.
  const { reports, notes } = await verifyAll(ledgers, trust, true);
  const counter = new SummaryCounter(range);
  for (const ledger of known)
    for await (const { records, closed } of readOpenRecords(ledger, keys)) {
      for (const { record } of records) counter.add(record, ledger.identity);
      counter.addClosed(closed);
    }
  const page = renderReport({
    ...(range.fromMs === undefined ? {} : { from: new Date(range.fromMs).toISOString() }),
    ...(range.toMs === undefined ? {} : { to: new Date(range.toMs).toISOString() }),
    madeAt: new Date(nowMs).toISOString(),
    version: cliVersion(),
    trustDomains: [...new Set(known.map(({ identity }) => identity.spiffe.split("/")[2] ?? ""))].sort(),
    rootDigests: trust.rootDigests,
    witnessAsked: trust.witnessed !== undefined,
    notes,
    ledgers: reports,
    summary: counter.summary(),
  });
  const damaged = reports.filter((report) => !isSound(report)).length;
  if (out === undefined) session.print(page);
  else {
    await using file = await openPrivateFile(out);
    await file.write(page);
    await file.finish();
    session.print(
      `${out}: ${count(reports.length, "ledger")}, ${damaged === 0 ? "none damaged" : `${damaged} damaged or missing`}\n`,
    );
  }
  return damaged === 0 ? exitCodes.ok : exitCodes.bad;
}
