import { stat } from "node:fs/promises";
import { toHex } from "../hash.ts";
import { isSealed, parseLine, parsePayload } from "../line.ts";
import { segmentNumbers, segmentPath, unlessAbsent } from "./files.ts";
import type { SegmentFile } from "./options.ts";
import { firstLine, lastLine } from "./read-lines.ts";
import { parseClosing } from "./recover.ts";

/** How a segment ended. */
export interface SegmentEnd {
  readonly records: number;
  /** Hexadecimal, as the head. */
  readonly root: string;
  readonly head: string;
  readonly kid: string | undefined;
}

/** Undefined: it is not there, or its last line does not close it. */
export async function closingOf(directory: string, segment: number): Promise<SegmentEnd | undefined> {
  const [first, last] = [await firstLine(directory, segment), await lastLine(directory, segment)];
  if (first === undefined || last === undefined) return undefined;
  const line = parseLine(last);
  const closing = parseClosing(line);
  const opening = parsePayload(parseLine(first).payload);
  if (closing === undefined || line.head === undefined) return undefined;
  if (opening === undefined || isSealed(opening) || opening.type !== "segment.opened") return undefined;
  return { records: closing.records, root: closing.root, head: toHex(line.head), kid: opening.kid };
}

export async function listSegments(directory: string): Promise<readonly SegmentFile[]> {
  const files: SegmentFile[] = [];
  for (const segment of await segmentNumbers(directory)) {
    const stats = await unlessAbsent(stat(segmentPath(directory, segment)));
    if (stats === undefined) continue;
    const last = await lastLine(directory, segment);
    const record = last && parsePayload(parseLine(last).payload);
    const isClosed = record !== undefined && !isSealed(record) && record.type === "segment.closed";
    files.push({ segment, bytes: stats.size, closedAt: isClosed ? new Date(record.time) : undefined });
  }
  return files;
}
