import type { StoredCheckpoint } from "../checkpoint.ts";
import { LedgerError } from "../errors.ts";
import type { VerifyReport } from "../finding.ts";
import { parseLine } from "../line.ts";
import { LedgerVerifier } from "../verifier.ts";
import { checkpointBytes, readCheckpoints } from "./checkpoints.ts";
import { readIdentity, readLines } from "./read-lines.ts";

export interface VerifyOptions {
  /** DER. */
  readonly roots: readonly Uint8Array[];
  /** What the witness remembers of this ledger: ask it before this is called, or a live ledger may seem cut. */
  readonly witnessed?: StoredCheckpoint;
  readonly findingLimit?: number;
}

/**
 * Verifies a ledger's directory, whether it is being written or not, in bounded memory. Rejects with `damaged` where there is no
 * ledger.json.
 */
export async function verifyDirectory(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  const identity = await readIdentity(directory);
  if (identity === undefined) throw new LedgerError("damaged", `${directory} has no ledger.json that can be read`);
  const verifier = new LedgerVerifier({ ...options, identity });
  // Those that are there now, before any line is read: a later one covers records that a look at a live ledger no longer sees.
  const checkpoints = readCheckpoints(directory, await checkpointBytes(directory));
  let areMore = true;
  /** Checkpoints come before the lines that they cover, and no earlier than they have to: they are not all held. */
  const checkpointsTo = async (seq: number) => {
    while (areMore && verifier.checkpointReach <= seq) {
      const { done, value } = await checkpoints.next();
      if (done === true) areMore = false;
      else verifier.addCheckpoint(value);
    }
  };
  let segment = -1;
  for await (const batch of readLines(directory, { segment: 0, offset: 0 })) {
    const last = batch.lines.at(-1);
    const lastSeq = last === undefined ? -1 : (parseLine(last).seq ?? Number.POSITIVE_INFINITY);
    await checkpointsTo(Math.max(lastSeq, verifier.nextSeq + batch.lines.length));
    if (batch.segment !== segment) {
      segment = batch.segment;
      verifier.beginSegment(segment);
    }
    for (const line of batch.lines) verifier.addLine(line);
    verifier.endSegment(batch.unfinishedBytes);
  }
  await checkpointsTo(Number.POSITIVE_INFINITY);
  return verifier.finish();
}
