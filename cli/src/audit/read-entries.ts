import { isSealed, type LedgerRecord } from "@hedgerow/ledger";
import { readRecords } from "@hedgerow/ledger/store";
import type { Entry } from "./entry.ts";
import { OutcomeJoin } from "./join-outcomes.ts";
import { type KnownLedger, unlessUnreadable } from "./open-ledgers.ts";
import type { Selection } from "./selection.ts";

/** Some of a ledger, in its order. */
export interface RecordBatch {
  readonly records: readonly { readonly segment: number; readonly record: LedgerRecord }[];
  /** Records that are encrypted, and for which there is no key. */
  readonly closed: number;
}

/** Every record that can be read; does not verify. @throws CliError usage: a file can't be read, or the key is another's. */
export async function* readOpenRecords(
  { directory }: KnownLedger,
  keyEncryptionKeys: readonly Buffer[],
): AsyncGenerator<RecordBatch, void, undefined> {
  const batches = readRecords(directory, { keyEncryptionKeys });
  for (;;) {
    const next = await unlessUnreadable(directory, () => batches.next());
    if (next.done === true) return;
    const records: { segment: number; record: LedgerRecord }[] = [];
    let closed = 0;
    for (const { segment, record } of next.value) {
      // What is unreadable `audit verify` names.
      if (record === undefined) continue;
      if (isSealed(record)) closed += 1;
      else records.push({ segment, record });
    }
    yield { records, closed };
  }
}

export interface EntryBatch {
  readonly entries: readonly Entry[];
  readonly closed: number;
}

/** What is selected of one ledger, each decision with its outcome. @throws CliError usage, as readOpenRecords. */
export async function* readEntries(
  ledger: KnownLedger,
  keyEncryptionKeys: readonly Buffer[],
  selection: Selection,
): AsyncGenerator<EntryBatch, void, undefined> {
  const join = new OutcomeJoin(ledger.identity, selection);
  for await (const { records, closed } of readOpenRecords(ledger, keyEncryptionKeys))
    yield { entries: records.flatMap(({ record, segment }) => join.add(record, segment)), closed };
  yield { entries: join.end(), closed: 0 };
}
