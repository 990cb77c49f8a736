import type { Outcome, RecordHeader } from "@hedgerow/ledger";
import type { Entry, EntryRecord } from "./entry.ts";

/** The stable shape of a record in JSON (docs/cli.md). */
export interface EntryView {
  /** UUID. */
  readonly ledger: string;
  readonly node: string;
  /** NAMESPACE/NAME of the AuditPolicy. */
  readonly policy: string;
  readonly segment: number;
  readonly record: EntryRecord;
  /** Of a decision: how it ended; null: not recorded. Of anything else null. */
  readonly outcome: (RecordHeader & Outcome) | null;
}

export function viewEntry({ ledger, segment, record, outcome }: Entry): EntryView {
  const { ledger: id, node, policy } = ledger;
  return { ledger: id, node, policy, segment, record, outcome: outcome ?? null };
}
