import type {
  AuditRead,
  CertificateIssued,
  ConnectionRefused,
  Decision,
  LedgerIdentity,
  LedgerRecord,
  LogGap,
  Outcome,
  PolicyEdited,
  RecordHeader,
  RecordsMissing,
  Refusal,
  SegmentDeleted,
  TailRepaired,
  TokenCreated,
} from "@hedgerow/ledger";

/** What people look for: everything but the segments' own records, and outcomes, which stand with their decisions. */
export type EntryRecord = RecordHeader &
  (
    | Decision
    | Refusal
    | ConnectionRefused
    | RecordsMissing
    | TailRepaired
    | LogGap
    | SegmentDeleted
    | CertificateIssued
    | TokenCreated
    | PolicyEdited
    | AuditRead
  );

export type EntryType = EntryRecord["type"];

/** One row of what was found. */
export interface Entry {
  readonly ledger: LedgerIdentity;
  readonly segment: number;
  readonly record: EntryRecord;
  /** Of a decision: how it ended; absent: not known (yet). */
  readonly outcome?: RecordHeader & Outcome;
}

/** The types of records that are somebody's requests. */
export const requestTypes: ReadonlySet<EntryType> = new Set(["decision", "refusal", "connection.refused"]);

export const entryTypes: readonly EntryType[] = [
  "decision",
  "refusal",
  "connection.refused",
  "records.missing",
  "tail.repaired",
  "log.gap",
  "segment.deleted",
  "certificate.issued",
  "token.created",
  "policy.edited",
  "audit.read",
];

export function isEntryRecord(record: LedgerRecord): record is EntryRecord {
  return record.type !== "segment.opened" && record.type !== "segment.closed" && record.type !== "outcome";
}

/** When it happened: what Envoy's log brings is written a little later than it happened. */
export function happenedAt(record: EntryRecord): string {
  return "at" in record ? record.at : record.time;
}
