/** Claims of a checkpoint: a compact JWS, `alg` EdDSA (Ed25519), `typ` hedgerow-checkpoint+jwt, `x5c` the key's chain without the root. */
export interface CheckpointClaims {
  /** SPIFFE id of the workload. */
  readonly iss: string;
  /** Unix seconds. */
  readonly iat: number;
  readonly node: string;
  readonly ledger: string;
  readonly segment: number;
  /** Last record that it covers. */
  readonly seq: number;
  /** Head of the chain after that record, hexadecimal. */
  readonly head: string;
  /** SHA-256 of the checkpoint before this one (its compact JWS), hexadecimal; absent: the ledger's first. */
  readonly previous?: string;
  /**
   * SHA-256 of the newest checkpoint that the writer knows to be countersigned, hexadecimal: one of those before this one, of the same
   * ledger. The witness signs nothing that does not name the last that it signed, or what history was rewritten would go unseen
   * wherever checkpoints in between were never shown to it. Absent: none was countersigned yet.
   */
  readonly witnessed?: string;
  /** The workload closed the ledger: nothing follows. */
  readonly closed?: boolean;
}

/** Claims of a witness: a compact JWS, `alg` ES256 by the CA's key, `typ` hedgerow-witness+jwt, `kid` SHA-256 of the root's DER in hexadecimal. */
export interface WitnessClaims {
  /** spiffe://TRUST-DOMAIN */
  readonly iss: string;
  /** Unix seconds, by the witness's clock. */
  readonly iat: number;
  readonly ledger: string;
  readonly seq: number;
  readonly head: string;
  /** SHA-256 of the checkpoint's compact JWS, hexadecimal. */
  readonly checkpoint: string;
}

/** One line of checkpoints.jsonl. */
export interface StoredCheckpoint {
  readonly checkpoint: string;
  /** Absent: the witness could not be reached; a later one covers it. */
  readonly witness?: string;
}
