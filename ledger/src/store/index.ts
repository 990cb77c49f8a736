export {
  Checkpointer,
  type CheckpointerOptions,
  type CheckpointLog,
  type CheckpointState,
  type Countersigned,
  type Witness,
} from "./checkpointer.ts";
export { lastCheckpoint, readCheckpoints } from "./checkpoints.ts";
export { rewrapKeys } from "./data-keys.ts";
export type {
  Appended,
  Durability,
  LedgerHealth,
  LedgerLimits,
  LedgerOptions,
  LedgerWriter,
  Position,
  Recovery,
  SegmentFile,
  Tip,
} from "./options.ts";
export { proveRecord } from "./prove-record.ts";
export { type LineBatch, listLedgers, readIdentity, readLines } from "./read-lines.ts";
export { type ReadRecord, type ReadRecordsOptions, readRecords } from "./read-records.ts";
export { type VerifyOptions, verifyDirectory } from "./verify-directory.ts";
export { openLedger } from "./writer.ts";
