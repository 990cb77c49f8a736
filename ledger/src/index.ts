export type { CheckpointClaims, StoredCheckpoint, WitnessClaims } from "./checkpoint.ts";
export type { JwsResult, SignedCheckpoint } from "./checkpoint-jws.ts";
export {
  checkpointDigest,
  claimsOfCheckpoint,
  encodeCheckpoint,
  MAX_CHECKPOINT_BYTES,
  readCheckpoint,
  readWitness,
  WITNESS_TYPE,
} from "./checkpoint-jws.ts";
export { LedgerError, type LedgerErrorCode } from "./errors.ts";
export type { Finding, FindingKind, VerifyReport } from "./finding.ts";
export { type Digest, fromHex, genesisOf, headAfter, leafOf, toHex } from "./hash.ts";
export { type LedgerIdentity, parseIdentity } from "./identity.ts";
export { encodeLine, isSealed, type Line, parseLine, parsePayload, type SealedRecord, seqOf } from "./line.ts";
export { MerkleTree, proveInclusion, verifyInclusion } from "./merkle.ts";
export { type ProofResult, type RecordProof, verifyProof } from "./proof.ts";
export type {
  AuditRead,
  CertificateIssued,
  ConnectionRefused,
  Decision,
  LedgerRecord,
  LogGap,
  Outcome,
  PolicyEdited,
  RecordBody,
  RecordedFinding,
  RecordHeader,
  RecordsMissing,
  Refusal,
  SegmentClosed,
  SegmentDeleted,
  SegmentOpened,
  TailRepaired,
  TensorSummary,
  TokenCreated,
} from "./record.ts";
export { LedgerVerifier, type VerifierOptions } from "./verifier.ts";
