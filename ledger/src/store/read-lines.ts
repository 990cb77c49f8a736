import type { LedgerIdentity } from "../identity.ts";
import type { Position } from "./options.ts";

/** Whole lines of one segment, as they follow each other. */
export interface LineBatch {
  readonly segment: number;
  /** Where the first begins. */
  readonly from: Position;
  /** Where the last ends: from there to go on. */
  readonly next: Position;
  /** With their line feeds, as they stand in the file. Not reused: may be kept. */
  readonly bytes: Buffer;
  /** Each without its line feed; views of `bytes`. */
  readonly lines: readonly Buffer[];
  /** Bytes after the last line feed, where the batch is the last and the ledger does not end with one; else 0. */
  readonly unfinishedBytes: number;
}

/**
 * Reads whole lines, about a MiB at a time, until `until` (default: what is there now). Goes from one segment to the next that is on disk.
 * An offset must be one at which a line begins.
 */
export async function* readLines(
  _directory: string,
  _from: Position,
  _options: { readonly until?: Position } = {},
): AsyncGenerator<LineBatch, void, undefined> {
  yield* [];
  await Promise.reject(new Error("not there yet"));
}

/** ledger.json; undefined: the directory is no ledger. */
export function readIdentity(_directory: string): Promise<LedgerIdentity | undefined> {
  return Promise.reject(new Error("not there yet"));
}

/** Directories in `directory` that are ledgers, archived ones too, sorted. */
export function listLedgers(_directory: string): Promise<readonly string[]> {
  return Promise.reject(new Error("not there yet"));
}
