import { type FileHandle, stat } from "node:fs/promises";
import { join } from "node:path";
import type { StoredCheckpoint } from "../checkpoint.ts";
import { CHECKPOINTS_FILE, openFile, unlessAbsent } from "./files.ts";

/** A line is under 10 KB; what is longer is damage. */
const MAX_LINE_CHARS = 64 * 1024;

/** How long the file is now. */
export async function checkpointBytes(directory: string): Promise<number> {
  return (await unlessAbsent(stat(join(directory, CHECKPOINTS_FILE))))?.size ?? 0;
}

/** In order, up to `endBytes`; undefined: a line that is no checkpoint. A last line without an end is what a crash left, and is not there. */
export async function* readCheckpoints(
  directory: string,
  endBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<StoredCheckpoint | undefined, void, undefined> {
  const handle = await unlessAbsent(openFile(join(directory, CHECKPOINTS_FILE)));
  if (handle === undefined) return;
  if (endBytes === 0) {
    await handle.close();
    return;
  }
  let rest = "";
  for await (const chunk of handle.createReadStream({ encoding: "latin1", end: endBytes - 1 })) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield parseStored(line);
    if (rest.length > MAX_LINE_CHARS) {
      yield undefined;
      return;
    }
  }
}

function parseStored(line: string): StoredCheckpoint | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null || !("checkpoint" in value)) return undefined;
    const { checkpoint } = value;
    if (typeof checkpoint !== "string") return undefined;
    if (!("witness" in value)) return { checkpoint };
    return typeof value.witness === "string" ? { checkpoint, witness: value.witness } : undefined;
  } catch {
    // Not JSON: the caller is told that the line is none.
    return undefined;
  }
}

/** Undefined: there is none, or its line is none. */
export async function lastCheckpoint(directory: string): Promise<StoredCheckpoint | undefined> {
  const handle = await unlessAbsent(openFile(join(directory, CHECKPOINTS_FILE)));
  if (handle === undefined) return undefined;
  try {
    const tail = await readTail(handle);
    const line = tail.text
      .slice(0, tail.text.lastIndexOf("\n") + 1)
      .split("\n")
      .at(-2);
    return line === undefined ? undefined : parseStored(line);
  } finally {
    await handle.close();
  }
}

async function readTail(handle: FileHandle): Promise<{ readonly start: number; readonly text: string }> {
  const { size } = await handle.stat();
  const start = Math.max(0, size - MAX_LINE_CHARS);
  const bytes = Buffer.alloc(size - start);
  const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
  return { start, text: bytes.toString("latin1", 0, bytesRead) };
}
