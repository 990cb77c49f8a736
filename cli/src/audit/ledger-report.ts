/** Something that does not verify, by its place. */
export interface LedgerProblem {
  readonly message: string;
  readonly segment: number | null;
  readonly seq: number | null;
  /** Decision id of that record, where it has one that can be read. */
  readonly decision: string | null;
}

/**
 * `verified`: everything, up to what the witness has countersigned; `signed`: checkpoints verify, none is countersigned; `chained`: only
 * the chain of hashes was verified, which anybody could have made anew.
 */
export type LedgerState = "verified" | "signed" | "chained" | "damaged" | "missing";

/** What verification found of one ledger. The stable shape of `audit verify -o json` (docs/cli.md). */
export interface LedgerReport {
  /** Null: the witness knows the ledger, and it is not here. */
  readonly directory: string | null;
  /** UUID. */
  readonly ledger: string | null;
  readonly node: string | null;
  readonly spiffe: string | null;
  readonly policy: string | null;
  readonly state: LedgerState;
  readonly records: number;
  readonly segments: number;
  /** Not there any more, as records say that are. */
  readonly deletedSegments: number;
  readonly checkpoints: number;
  /** When the last countersigned checkpoint was countersigned, by the witness's clock. */
  readonly witnessedAt: string | null;
  /** Last record that the witness covers. */
  readonly witnessedSeq: number | null;
  /** Records after that: they could be replaced unseen. */
  readonly uncovered: number;
  readonly problems: readonly LedgerProblem[];
  /** More problems than are listed. */
  readonly problemsLeftOut: number;
}

export function isSound({ state }: LedgerReport): boolean {
  return state !== "damaged" && state !== "missing";
}

/** NODE (POLICY), or the directory where the ledger does not say. */
export function ledgerName({ node, policy, directory }: LedgerReport): string {
  return node === null ? (directory ?? "unknown ledger") : `${node} (${policy ?? "?"})`;
}
