import type { StoredCheckpoint } from "./checkpoint.ts";
import { checkpointDigest, readCheckpoint, readWitness } from "./checkpoint-jws.ts";
import { type Digest, fromHex, headAfter, leafOf, toHex } from "./hash.ts";
import { isSealed, parsePayload, seqOf } from "./line.ts";
import { verifyInclusion } from "./merkle.ts";

/**
 * What shows that a record is in a ledger to someone who has nothing of that ledger: its payload, a way from it to the head of a
 * checkpoint, and that checkpoint. Digests are hexadecimal.
 */
export interface RecordProof extends StoredCheckpoint {
  readonly format: "hedgerow-proof/1";
  /** As it stands in the ledger. */
  readonly payload: string;
  /** Through the Merkle tree of its segment to the record that closes it; absent: the segment is open, or the record is that one. */
  readonly inclusion?: {
    /** Of the record in its segment, from 0. */
    readonly index: number;
    readonly size: number;
    readonly path: readonly string[];
    /** Payload of segment.closed. */
    readonly closing: string;
  };
  /** Head of the chain before the record, or before `closing` where there is one. */
  readonly previous: string;
  /** Leaves of the records from there to the checkpoint's. */
  readonly following: readonly string[];
}

export type ProofResult =
  | {
      readonly ok: true;
      readonly seq: number;
      /** By the workload's clock, Unix seconds. */
      readonly signedAt: number;
      readonly witnessedAt: number | undefined;
      readonly ledger: string;
      readonly node: string;
      readonly spiffe: string;
    }
  | { readonly ok: false; readonly problem: string };

const wrong = (problem: string) => ({ ok: false, problem }) as const;

/** Whether a proof holds under `roots` (DER). `payload` is then a record of the ledger that is named. */
export function verifyProof(proof: RecordProof, roots: readonly Uint8Array[]): ProofResult {
  const seq = seqOf(Buffer.from(proof.payload));
  if (seq === undefined) return wrong("the record has no number");
  const chained = proof.inclusion === undefined ? proof.payload : proof.inclusion.closing;
  if (proof.inclusion !== undefined) {
    const problem = problemOfInclusion(proof.payload, proof.inclusion);
    if (problem !== undefined) return wrong(problem);
  }
  const first = seqOf(Buffer.from(chained));
  const head = headOf(proof, leafOf(Buffer.from(chained)));
  if (head === undefined || first === undefined) return wrong("the proof is malformed");
  const checkpoint = readCheckpoint(proof.checkpoint, roots);
  if (!checkpoint.ok) return checkpoint;
  const { claims } = checkpoint.value;
  if (claims.head !== toHex(head) || claims.seq !== first + proof.following.length) {
    return wrong("the way from the record does not lead to the checkpoint");
  }
  let witnessedAt: number | undefined;
  if (proof.witness !== undefined) {
    const witness = readWitness(proof.witness, roots);
    if (!witness.ok) return witness;
    if (witness.value.checkpoint !== checkpointDigest(proof.checkpoint)) {
      return wrong("countersignature is of another checkpoint");
    }
    witnessedAt = witness.value.iat;
  }
  const signedMs = (witnessedAt ?? claims.iat) * 1000;
  if (signedMs > checkpoint.value.notAfterMs) return wrong("checkpoint's certificate had ended when it was signed");
  const { ledger, node, iss: spiffe } = claims;
  return { ok: true, seq, signedAt: claims.iat, witnessedAt, ledger, node, spiffe };
}

/** The closing record is in the chain, and says the root. */
function problemOfInclusion(
  payload: string,
  { index, size, path, closing }: NonNullable<RecordProof["inclusion"]>,
): string | undefined {
  const record = parsePayload(closing);
  if (record === undefined || isSealed(record) || record.type !== "segment.closed") {
    return "what closes the segment is no such record";
  }
  const root = fromHex(record.root);
  const digests = path.map(fromHex);
  if (root === undefined || digests.includes(undefined) || record.records !== size) return "the proof is malformed";
  const whole = digests.filter((digest) => digest !== undefined);
  return verifyInclusion(leafOf(Buffer.from(payload)), index, size, whole, root)
    ? undefined
    : "the record is not in the Merkle tree of its segment";
}

function headOf({ previous, following }: RecordProof, leaf: Digest): Digest | undefined {
  const before = fromHex(previous);
  if (before === undefined) return undefined;
  let head = headAfter(before, leaf);
  for (const hex of following) {
    const next = fromHex(hex);
    if (next === undefined) return undefined;
    head = headAfter(head, next);
  }
  return head;
}
