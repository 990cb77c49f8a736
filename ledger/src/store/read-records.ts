import { isSealed, parseLine, parsePayload, type SealedRecord } from "../line.ts";
import type { LedgerRecord } from "../record.ts";
import { type DataKey, openSealed, readDataKey } from "./data-keys.ts";
import type { Position } from "./options.ts";
import { readIdentity, readLines } from "./read-lines.ts";

export interface ReadRecord {
  readonly segment: number;
  /** Where its line begins. */
  readonly offset: number;
  /** Sealed: its data key was destroyed, or no key-encryption key was given. Undefined: unreadable. */
  readonly record: LedgerRecord | SealedRecord | undefined;
}

export interface ReadRecordsOptions {
  readonly from?: Position;
  readonly until?: Position;
  /** Opens the data keys; any of several, while they are rotated. */
  readonly keyEncryptionKeys?: readonly Buffer[];
}

/**
 * Records in order, decrypted where that is possible; in arrays, of a MiB of lines each. Does not verify: `verifyDirectory` does.
 * Rejects with wrong_key where keys are given and none opens a data key that is there.
 */
export async function* readRecords(
  directory: string,
  { from = { segment: 0, offset: 0 }, until, keyEncryptionKeys = [] }: ReadRecordsOptions = {},
): AsyncGenerator<readonly ReadRecord[], void, undefined> {
  const ledger = (await readIdentity(directory))?.ledger ?? "";
  let key: { readonly kid: string; readonly value: DataKey | undefined } | undefined;
  for await (const { lines, from: start } of readLines(directory, from, until === undefined ? {} : { until })) {
    const records: ReadRecord[] = [];
    let { offset } = start;
    for (const line of lines) {
      let record = parsePayload(parseLine(line).payload);
      if (record !== undefined && isSealed(record) && keyEncryptionKeys.length > 0) {
        const { kid } = record;
        if (key?.kid !== kid) key = { kid, value: await readDataKey(directory, kid, keyEncryptionKeys) };
        const payload = key.value && openSealed(record, ledger, key.value);
        if (key.value !== undefined) record = payload === undefined ? undefined : parsePayload(payload);
      }
      records.push({ segment: start.segment, offset, record });
      offset += line.length + 1;
    }
    yield records;
  }
}
