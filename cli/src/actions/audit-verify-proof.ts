import { isSealed, parsePayload, verifyProof } from "@hedgerow/ledger";
import type { Command } from "commander";
import { isEntryRecord } from "../audit/entry.ts";
import { parseProof } from "../audit/proof-file.ts";
import { loadTrust, readText, type TrustOptions } from "../audit/trust.ts";
import { kindOf, whatOf, whoOf, whyOf } from "../audit/words.ts";
import { CliError, type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import { printable } from "../screen/printable.ts";
import type { Session } from "../session.ts";

/** Needs the file and the roots, and nothing of the ledger. */
export async function verifyProofFile(
  session: Session,
  command: Command,
  path: string,
  options: TrustOptions,
): Promise<ExitCode> {
  const format = session.format(command);
  const name = path === "-" ? "<stdin>" : path;
  const proof = parseProof(name, path === "-" ? await session.host.readStdin() : readText(path));
  const { roots, rootDigests, notes } = await loadTrust(session, command, options);
  if (roots.length === 0)
    throw new CliError(
      "usage",
      `a proof is verified against the mesh's root certificates: give them with --roots FILE (${notes.join("; ")})`,
    );

  const result = verifyProof(proof, roots);
  const parsed = parsePayload(proof.payload);
  const record = parsed === undefined || isSealed(parsed) ? undefined : parsed;
  const view = result.ok
    ? {
        good: true,
        problem: null,
        seq: result.seq,
        ledger: result.ledger,
        node: result.node,
        spiffe: result.spiffe,
        signedAt: isoSeconds(result.signedAt),
        witnessedAt: result.witnessedAt === undefined ? null : isoSeconds(result.witnessedAt),
        record: record ?? null,
        roots: rootDigests,
      }
    : { good: false, problem: result.problem, roots: rootDigests };
  if (format !== "table") session.print(renderDocument(view, format));
  else session.print(lines(view, record, session, command));
  return result.ok ? exitCodes.ok : exitCodes.bad;
}

const isoSeconds = (seconds: number): string => new Date(seconds * 1000).toISOString();

function lines(
  view: {
    good: boolean;
    problem: string | null;
    seq?: number;
    ledger?: string | null;
    node?: string | null;
    signedAt?: string;
    witnessedAt?: string | null;
  },
  record: ReturnType<typeof parsePayload>,
  session: Session,
  command: Command,
): string {
  const paint = session.paint(command);
  if (!view.good) return `${paint("bad", "✗")} the proof does not hold: ${printable(view.problem ?? "")}\n`;
  const said =
    record === undefined || isSealed(record)
      ? "  the record is encrypted: the proof shows that it stands there, not what it says"
      : isEntryRecord(record)
        ? `  ${[record.time, kindOf(record), whoOf(record), whatOf(record), whyOf(record)]
            .filter((part) => part !== "")
            .map(printable)
            .join("  ")}`
        : `  ${printable(record.time)}  ${printable(record.type)}`;
  const witnessed =
    view.witnessedAt == null
      ? `${paint("middling", "!")} not countersigned by the witness: the workload alone vouches for it`
      : `${paint("good", "✓")} countersigned by the witness at ${view.witnessedAt}`;
  return [
    `${paint("good", "✓")} record ${view.seq} of ledger ${view.ledger} of ${printable(view.node ?? "")}, signed at ${view.signedAt}`,
    witnessed,
    `${said}\n`,
  ].join("\n");
}
