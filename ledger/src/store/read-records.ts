import type { SealedRecord } from "../line.ts";
import type { LedgerRecord } from "../record.ts";
import type { Position } from "./options.ts";

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

/** Records in order, decrypted where that is possible; in arrays, of a MiB of lines each. Does not verify: `verifyDirectory` does. */
export async function* readRecords(
  _directory: string,
  _options: ReadRecordsOptions = {},
): AsyncGenerator<readonly ReadRecord[], void, undefined> {
  yield* [];
  await Promise.reject(new Error("not there yet"));
}
