import { type FileHandle, readdir } from "node:fs/promises";
import { join } from "node:path";
import { type LedgerIdentity, parseIdentity } from "../identity.ts";
import { LINE_FEED } from "../line.ts";
import {
  IDENTITY_FILE,
  openFile,
  readTextFile,
  segmentNumbers,
  segmentPath,
  systemCode,
  unlessAbsent,
} from "./files.ts";
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
  /** Bytes after the last line feed, where the batch is the segment's last; else 0. */
  readonly unfinishedBytes: number;
}

const BATCH_BYTES = 1024 * 1024;
/** A line is far shorter; what is longer is damage, and comes back as unfinished. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;

/**
 * Reads whole lines, about a MiB at a time, until `until` (default: what is there now). Goes from one segment to the next that is on disk;
 * each segment that is there comes with one batch at least. An offset must be one at which a line begins.
 */
export async function* readLines(
  directory: string,
  from: Position,
  { until }: { readonly until?: Position } = {},
): AsyncGenerator<LineBatch, void, undefined> {
  // One after the other is looked for when its turn comes: those that are begun or deleted meanwhile are there or not.
  for (const segment of await segmentNumbers(directory)) {
    if (segment < from.segment || (until !== undefined && segment > until.segment)) continue;
    const handle = await unlessAbsent(openFile(segmentPath(directory, segment)));
    if (handle === undefined) continue;
    try {
      const start = segment === from.segment ? from.offset : 0;
      const end = segment === until?.segment ? until.offset : (await handle.stat()).size;
      yield* linesOf(handle, segment, start, end);
    } finally {
      await handle.close();
    }
  }
}

async function* linesOf(
  handle: FileHandle,
  segment: number,
  start: number,
  end: number,
): AsyncGenerator<LineBatch, void, undefined> {
  let offset = start;
  let size = BATCH_BYTES;
  do {
    const bytes = await readAt(handle, offset, Math.min(size, end - offset));
    const whole = bytes.lastIndexOf(LINE_FEED) + 1;
    const isLast = offset + bytes.length >= end || bytes.length === 0;
    if (whole === 0 && !isLast && size < MAX_LINE_BYTES) {
      size *= 2;
      continue;
    }
    // A line without an end, however long, ends the segment.
    const ends = isLast || whole === 0;
    const next = offset + whole;
    yield {
      segment,
      from: { segment, offset },
      next: { segment, offset: next },
      bytes: bytes.subarray(0, whole),
      lines: splitLines(bytes, whole),
      unfinishedBytes: ends ? end - next : 0,
    };
    if (ends) return;
    offset = next;
    size = BATCH_BYTES;
  } while (offset < end);
}

async function readAt(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

function splitLines(bytes: Buffer, end: number): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < end; ) {
    const feed = bytes.indexOf(LINE_FEED, start);
    lines.push(bytes.subarray(start, feed));
    start = feed + 1;
  }
  return lines;
}

/** The last whole line of a segment, without its line feed; undefined: there is none. */
export async function lastLine(directory: string, segment: number): Promise<Buffer | undefined> {
  const handle = await unlessAbsent(openFile(segmentPath(directory, segment)));
  if (handle === undefined) return undefined;
  try {
    const { size } = await handle.stat();
    for (let window = 4096; ; window *= 4) {
      const start = Math.max(0, size - window);
      const bytes = await readAt(handle, start, size - start);
      const end = bytes.lastIndexOf(LINE_FEED);
      if (end === -1 && start > 0 && window < MAX_LINE_BYTES) continue;
      if (end === -1) return undefined;
      const before = end === 0 ? -1 : bytes.lastIndexOf(LINE_FEED, end - 1);
      if (before === -1 && start > 0) continue;
      return bytes.subarray(before + 1, end);
    }
  } finally {
    await handle.close();
  }
}

/** The first line of a segment, without its line feed; undefined: there is none, or no first record is that long. */
export async function firstLine(directory: string, segment: number): Promise<Buffer | undefined> {
  const handle = await unlessAbsent(openFile(segmentPath(directory, segment)));
  if (handle === undefined) return undefined;
  try {
    const bytes = await readAt(handle, 0, 64 * 1024);
    const end = bytes.indexOf(LINE_FEED);
    return end === -1 ? undefined : bytes.subarray(0, end);
  } finally {
    await handle.close();
  }
}

/** ledger.json; undefined: the directory is no ledger. */
export async function readIdentity(directory: string): Promise<LedgerIdentity | undefined> {
  const text = await unlessAbsent(readTextFile(join(directory, IDENTITY_FILE)));
  return text === undefined ? undefined : parseIdentity(text);
}

/** Directories in `directory` that are ledgers, archived ones too, sorted. */
export async function listLedgers(directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of (await unlessAbsent(readdir(directory))) ?? []) {
    const path = join(directory, name);
    try {
      if ((await readIdentity(path)) !== undefined) found.push(path);
    } catch (thrown) {
      // A file, not a directory.
      if (systemCode(thrown) !== "ENOTDIR") throw thrown;
    }
  }
  return found.sort();
}
