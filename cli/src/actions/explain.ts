import { verifyProof } from "@hedgerow/ledger";
import { proveRecord } from "@hedgerow/ledger/store";
import type { Command } from "commander";
import { announceRead } from "../audit/announce.ts";
import { parseReference } from "../audit/choose.ts";
import { chooseRequest } from "../audit/choose-request.ts";
import { explainRequest, type RecordCheck } from "../audit/explanation.ts";
import { type FoundRequest, findRequests, type Related } from "../audit/find-decision.ts";
import {
  type KnownLedger,
  openLedgers,
  readableLedgers,
  readEncryptionKey,
  unlessUnreadable,
} from "../audit/open-ledgers.ts";
import { loadTrust, type Trust } from "../audit/trust.ts";
import type { ExplainOptions } from "../commands/explain.ts";
import { type ExitCode, exitCodes } from "../errors.ts";
import { renderDocument } from "../screen/document.ts";
import { renderExplanation } from "../screen/explanation.ts";
import type { Session } from "../session.ts";

export async function explain(
  session: Session,
  command: Command,
  id: string,
  options: ExplainOptions,
): Promise<ExitCode> {
  const format = session.format(command);
  const reference = parseReference(id);
  const keys = readEncryptionKey(options.encryptionKey);
  const trust = await loadTrust(session, command, options);
  const ledgers = readableLedgers(session, await openLedgers(options.ledger, session.host.env));
  await announceRead(session, command, {
    command: "explain",
    ledgers: ledgers.map(({ identity }) => identity.ledger),
    query: id,
  });

  const related = await findRequests(ledgers, keys, reference);
  const found = chooseRequest(reference, related);
  const check = await checkRecord(found, trust);
  const view = explainRequest(found, await withAttempts(found, related, ledgers, keys), check);
  session.print(format === "table" ? renderExplanation(view, session.paint(command)) : renderDocument(view, format));
  return check.state === "damaged" ? exitCodes.bad : exitCodes.ok;
}

/** A prefix finds the decision and its outcome; its other attempts have its request id, and outcomes under ids of their own. */
async function withAttempts(
  { record }: FoundRequest,
  related: Related,
  ledgers: readonly KnownLedger[],
  keys: readonly Buffer[],
): Promise<Related> {
  const { request } = record;
  const byRequest =
    request === undefined ? related : await findRequests(ledgers, keys, { decision: undefined, request });
  const ids = new Set(
    [...byRequest.requests, ...related.requests].flatMap((found) =>
      found.record.type === "decision" ? [found.record.id] : [],
    ),
  );
  const outcomes = new Map(related.outcomes);
  // Requests with one id are attempts of one: few. A caller that gives all the same id gets the first of them explained.
  for (const id of [...ids].slice(0, 16)) {
    if (outcomes.has(id)) continue;
    const found = await findRequests(ledgers, keys, { decision: id, request: id });
    for (const [decision, outcome] of found.outcomes) outcomes.set(decision, outcome);
  }
  return { requests: byRequest.requests, outcomes, closed: related.closed };
}

/** Whether the record stands in its ledger as the mesh signed it: by the proof that `audit prove` would give. */
async function checkRecord({ ledger, record }: FoundRequest, { roots, notes }: Trust): Promise<RecordCheck> {
  if (roots.length === 0)
    return {
      state: "unchecked",
      message: `the record was not verified: ${[...notes, "give the mesh's roots with --roots FILE"].join("; ")}`,
    };
  const proof = await unlessUnreadable(ledger.directory, () => proveRecord(ledger.directory, record.seq));
  if (proof === undefined)
    return { state: "uncovered", message: "no checkpoint covers this record yet: one is signed every ten seconds" };
  const result = verifyProof(proof, roots);
  if (!result.ok)
    return {
      state: "damaged",
      message: `the record does not verify: ${result.problem}; \`hedgerow audit verify\` names what was altered`,
    };
  const signed = `stands in the ledger as its workload signed it at ${isoSeconds(result.signedAt)}`;
  return result.witnessedAt === undefined
    ? { state: "signed", message: `the record ${signed}; the witness has not countersigned it yet` }
    : {
        state: "witnessed",
        message: `verified: the record ${signed}, countersigned by the witness at ${isoSeconds(result.witnessedAt)}`,
      };
}

const isoSeconds = (seconds: number): string => new Date(seconds * 1000).toISOString();
