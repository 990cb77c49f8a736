/** Why something could not be written or read. Stable, for machines. */
export type LedgerErrorCode =
  /** More waits to be written than the limits allow. */
  | "backlog_full"
  /** ENOSPC, EDQUOT or EFBIG. */
  | "disk_full"
  /** Any other failure of the file system. */
  | "write_failed"
  /** Appended to after close or seal. */
  | "closed"
  /** Another writer has this ledger. */
  | "locked"
  /** What is in the directory is no ledger, or can't be continued. */
  | "damaged"
  /** A data key can't be unwrapped: it is wrapped with another key-encryption key, or was altered. */
  | "wrong_key"
  /** No such segment, or one that is not closed. */
  | "no_segment";

/** What this package throws on purpose. The message is for people: lower case, no period. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  constructor(code: LedgerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "LedgerError";
    this.code = code;
  }
}
