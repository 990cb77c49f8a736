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
