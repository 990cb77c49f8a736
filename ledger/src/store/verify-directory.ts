import type { StoredCheckpoint } from "../checkpoint.ts";
import type { VerifyReport } from "../finding.ts";

export interface VerifyOptions {
  /** DER. */
  readonly roots: readonly Uint8Array[];
  /** What the witness remembers of this ledger: ask it before this is called, or a live ledger may seem cut. */
  readonly witnessed?: StoredCheckpoint;
  readonly findingLimit?: number;
}

/** Verifies a ledger's directory, whether it is being written or not, in bounded memory. Throws where there is no ledger.json. */
export function verifyDirectory(_directory: string, _options: VerifyOptions): Promise<VerifyReport> {
  return Promise.reject(new Error("not there yet"));
}
