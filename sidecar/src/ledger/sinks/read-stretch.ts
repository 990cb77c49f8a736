import { open } from "node:fs/promises";
import { parseLine } from "@hedgerow/ledger";
import { type Position, readLines } from "@hedgerow/ledger/store";
import type { CheckpointStretch, Stretch } from "./sink.ts";

const LF = 0x0a;
/** Of one stretch of checkpoints: 600 or so. */
const CHECKPOINT_BYTES = 1024 * 1024;

/** The next lines, of one segment, about 1 MiB; undefined: there are none before `until`, which is as far as the disk has them. */
export async function readStretch(
  directory: string,
  ledger: string,
  from: Position,
  until: Position,
): Promise<Stretch | undefined> {
  for await (const batch of readLines(directory, from, { until })) {
    // Of a segment that was read to its end.
    if (batch.bytes.length === 0) continue;
    const [first, last] = [batch.lines[0], batch.lines.at(-1)].map((line) => line && parseLine(line).seq);
    if (first === undefined || last === undefined) {
      throw new Error(`segment ${batch.segment} has no record at byte ${batch.from.offset}`);
    }
    return { ledger, segment: batch.segment, offset: batch.from.offset, first, last, bytes: batch.bytes };
  }
  return undefined;
}

/** New checkpoints; undefined: there are none. The last of all is left until it is countersigned, which changes its line, or followed. */
export async function readCheckpoints(
  directory: string,
  ledger: string,
  offset: number,
): Promise<CheckpointStretch | undefined> {
  try {
    await using handle = await open(`${directory}/checkpoints.jsonl`, "r");
    const { size } = await handle.stat();
    if (size <= offset) return undefined;
    const bytes = Buffer.allocUnsafe(Math.min(size - offset, CHECKPOINT_BYTES));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, offset);
    const whole = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(LF) + 1);
    const isEnd = offset + whole.length === size;
    const lines = isEnd ? whole.subarray(0, finalBytes(whole)) : whole;
    return lines.length === 0 ? undefined : { ledger, offset, bytes: lines };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function finalBytes(whole: Buffer): number {
  const last = whole.subarray(0, -1).lastIndexOf(LF) + 1;
  return whole.includes('","witness":"', last) ? whole.length : last;
}
