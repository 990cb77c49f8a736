/** In what way a ledger is not what was written. */
export type FindingKind =
  /** A record's payload does not fit its head: it was changed, or another stands in its place. */
  | "altered"
  /** The head before a record was changed, the record was not. */
  | "head_altered"
  /** Records `seq` to `toSeq` are not there. */
  | "missing"
  /** The record stands in another place. */
  | "reordered"
  /** A line that was never written stands before the record. */
  | "inserted"
  /** The record stands there twice. */
  | "duplicated"
  /** A record that fits its head, but is none. */
  | "unreadable"
  /** Bytes that are no record, at the end of a segment that another follows. */
  | "trailing"
  /** A segment's file is not there, and no record says that it was deleted. */
  | "segment_missing"
  /** A segment is of another ledger, or another segment. */
  | "segment_swapped"
  /** Another segment follows one that was not closed. */
  | "segment_unclosed"
  /** Its Merkle root is not what its last record says. */
  | "root"
  /** A record that says that a segment was deleted contradicts what follows that segment. */
  | "deletion"
  /** Records up to `toSeq` were signed for or witnessed, and the ledger ends before. */
  | "cut"
  /** A checkpoint states another head: one of the records `seq` to `toSeq` was changed, and the chain rewritten. */
  | "checkpoint_contradicts"
  /** A checkpoint that was not signed by this workload, or is out of its place. */
  | "checkpoint"
  /** A countersignature that no trusted root made, or that is of another checkpoint. */
  | "witness"
  /** Something follows what was closed for good. */
  | "after_end";

export interface Finding {
  readonly kind: FindingKind;
  /** Lower case; names the record or segment. */
  readonly message: string;
  readonly segment?: number;
  /** The record that is wrong; of a range its first. */
  readonly seq?: number;
  readonly toSeq?: number;
}

/** First and last of segments that follow each other. */
export interface SegmentRange {
  readonly from: number;
  readonly to: number;
}

/** What verification found of a ledger. It is whole if there are no findings. */
export interface VerifyReport {
  /** In the order in which they stand in the ledger; at most `findingLimit`, `moreFindings` says how many were left out. */
  readonly findings: readonly Finding[];
  readonly moreFindings: number;
  /** Records that were read. */
  readonly records: number;
  readonly segments: number;
  /** Segments that were deleted, as a record says. */
  readonly deletedSegments: readonly SegmentRange[];
  /** The last record, and the head after it in hexadecimal; undefined: there is none. */
  readonly last: { readonly seq: number; readonly head: string } | undefined;
  /** Last record that a checkpoint covers. Up to there the ledger is what the workload signed. */
  readonly signedTo: number | undefined;
  /** Last record that a countersigned checkpoint covers, and when the witness saw it (Unix seconds). */
  readonly witnessedTo: number | undefined;
  readonly witnessedAt: number | undefined;
  /** A checkpoint says that nothing follows. */
  readonly closed: boolean;
  /** Bytes after the last whole line: of a ledger that is being written, or that a crash cut short. No finding. */
  readonly unfinishedBytes: number;
}
