import type { StoredCheckpoint } from "./checkpoint.ts";
import type { VerifyReport } from "./finding.ts";
import type { LedgerIdentity } from "./identity.ts";

export interface VerifierOptions {
  readonly identity: LedgerIdentity;
  /** DER certificates of the CA; countersignatures and checkpoints must lead to one. */
  readonly roots: readonly Uint8Array[];
  /** What the witness remembers of this ledger, asked for before the ledger is read. */
  readonly witnessed?: StoredCheckpoint;
  /** Default 1000. */
  readonly findingLimit?: number;
}

/** Reads a ledger in order: for each segment `beginSegment`, its lines, `endSegment`; at last `finish`. */
export class LedgerVerifier {
  constructor(_options: VerifierOptions) {}
  /** Before any line that it covers; in the order in which they stand. */
  addCheckpoint(_stored: StoredCheckpoint): void {}
  beginSegment(_segment: number): void {}
  /** Without its line feed. */
  addLine(_line: Buffer): void {}
  /** `unfinished`: bytes after the last line feed. */
  endSegment(_unfinishedBytes = 0): void {}
  finish(): VerifyReport {
    throw new Error("not there yet");
  }
}
