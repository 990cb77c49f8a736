import type { StoredCheckpoint } from "../checkpoint.ts";
import { claimsOfCheckpoint } from "../checkpoint-jws.ts";
import { type Digest, toHex } from "../hash.ts";
import { type Line, parseLine } from "../line.ts";
import { proveInclusion } from "../merkle.ts";
import type { RecordProof } from "../proof.ts";
import { readCheckpoints } from "./checkpoints.ts";
import { readIdentity, readLines } from "./read-lines.ts";
import { parseClosing } from "./recover.ts";

interface Covering {
  readonly stored: StoredCheckpoint;
  readonly seq: number;
}

/** The segment of a record as a proof needs it: its leaves, and the records that a proof shows. */
interface ProofSegment {
  readonly firstSeq: number;
  readonly leaves: readonly Digest[];
  readonly wanted: Line;
  /** Head before it, hexadecimal. */
  readonly before: string;
  readonly closing: { readonly line: Line; readonly seq: number; readonly before: string } | undefined;
}

/**
 * Reads the record's segment, and the records from there to a checkpoint. Undefined: no such record, or no checkpoint covers it
 * yet. Prefers a countersigned checkpoint. Does not verify: `verifyProof` does.
 */
export async function proveRecord(directory: string, seq: number): Promise<RecordProof | undefined> {
  if ((await readIdentity(directory)) === undefined) return undefined;
  const segment = await findSegment(directory, seq);
  if (segment === undefined) return undefined;
  const { closing, firstSeq, leaves, wanted, before } = segment;
  const isClosing = closing?.seq === seq;
  const start = closing === undefined ? { seq, before } : { seq: closing.seq, before: closing.before };
  const checkpoint = await coveringCheckpoint(directory, start.seq);
  if (checkpoint === undefined) return undefined;
  const following = await leavesBetween(directory, start.seq + 1, checkpoint.seq);
  if (following === undefined) return undefined;
  const index = seq - firstSeq;
  return {
    format: "hedgerow-proof/1",
    payload: wanted.payload.toString(),
    ...(closing === undefined || isClosing
      ? {}
      : {
          inclusion: {
            index,
            size: leaves.length,
            path: proveInclusion(leaves, index).map(toHex),
            closing: closing.line.payload.toString(),
          },
        }),
    previous: start.before,
    following: following.map(toHex),
    ...checkpoint.stored,
  };
}

async function findSegment(directory: string, seq: number): Promise<ProofSegment | undefined> {
  let number = -1;
  let firstSeq = 0;
  let leaves: Digest[] = [];
  let found: { readonly line: Line; readonly before: string } | undefined;
  let head = "";
  for await (const { segment, lines } of readLines(directory, { segment: 0, offset: 0 })) {
    if (segment !== number) {
      if (found !== undefined) break;
      number = segment;
      leaves = [];
      firstSeq = (lines[0] && parseLine(lines[0]).seq) ?? 0;
    }
    for (const bytes of lines) {
      const line = parseLine(bytes);
      if (line.seq === seq) found = { line, before: head };
      const closing = found === undefined ? undefined : closingLine(line);
      if (found !== undefined && closing !== undefined) {
        const end = { line, seq: line.seq ?? 0, before: head };
        return { firstSeq, leaves, wanted: found.line, before: found.before, closing: end };
      }
      leaves.push(line.leaf);
      head = line.head === undefined ? "" : toHex(line.head);
    }
  }
  return found && { firstSeq, leaves, wanted: found.line, before: found.before, closing: undefined };
}

const closingLine = (line: Line) =>
  line.payload.toString("latin1", 0, 96).includes('"segment.closed"') ? parseClosing(line) : undefined;

/** The first that covers the record, countersigned if there is one. */
async function coveringCheckpoint(directory: string, seq: number): Promise<Covering | undefined> {
  let unwitnessed: Covering | undefined;
  for await (const stored of readCheckpoints(directory)) {
    const claims = stored && claimsOfCheckpoint(stored.checkpoint);
    if (stored === undefined || claims === undefined || claims.seq < seq) continue;
    if (stored.witness !== undefined) return { stored, seq: claims.seq };
    unwitnessed ??= { stored, seq: claims.seq };
  }
  return unwitnessed;
}

/** Undefined: they are not all there. */
async function leavesBetween(directory: string, from: number, to: number): Promise<readonly Digest[] | undefined> {
  const leaves: Digest[] = [];
  if (to < from) return leaves;
  for await (const { lines } of readLines(directory, { segment: 0, offset: 0 })) {
    const last = lines.at(-1);
    if (last !== undefined && (parseLine(last).seq ?? 0) < from) continue;
    for (const bytes of lines) {
      const { seq, leaf } = parseLine(bytes);
      if (seq === from + leaves.length) leaves.push(leaf);
      if (leaves.length > to - from) return leaves;
    }
  }
  return undefined;
}
