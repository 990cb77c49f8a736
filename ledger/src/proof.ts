import type { StoredCheckpoint } from "./checkpoint.ts";

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
  | { readonly ok: true; readonly seq: number; readonly signedAt: number; readonly witnessedAt: number | undefined }
  | { readonly ok: false; readonly problem: string };

/** Whether a proof holds under `roots` (DER). */
export function verifyProof(_proof: RecordProof, _roots: readonly Uint8Array[]): ProofResult {
  throw new Error("not there yet");
}
