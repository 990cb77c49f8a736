import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isSealed } from "@hedgerow/ledger";
import { type Position, readRecords } from "@hedgerow/ledger/store";
import { lineKey } from "./outcome-line.ts";

/** In the ledger's directory: from where on it must be read to know what an agent before this one knew of outcomes. */
const FILE = "outcomes.json";
/** Of a ledger that was written faster than outcomes were; what is older has no outcome. */
const MOST = 200_000;

export interface Resumed {
  /** Decisions without an outcome, oldest first. */
  readonly decisions: readonly { readonly id: string; readonly atMs: number; readonly place: Position }[];
  /** Keys of the lines of Envoy's log that are recorded, though its position may say that they are not. */
  readonly lines: Set<string>;
}

/** Reads back what was recorded lately. Records that can't be decrypted or read are passed over. */
export async function resume(
  directory: string,
  until: Position,
  keyEncryptionKeys: readonly Buffer[],
): Promise<Resumed> {
  const from = await readFrom(directory, until);
  const decisions = new Map<string, { atMs: number; place: Position }>();
  const lines = new Set<string>();
  for await (const batch of readRecords(directory, { from, until, keyEncryptionKeys })) {
    for (const { segment, offset, record } of batch) {
      if (record === undefined || isSealed(record)) continue;
      if (record.type === "decision") {
        decisions.set(record.id, { atMs: Date.parse(record.time), place: { segment, offset } });
      }
      if (record.type === "outcome") decisions.delete(record.id);
      const key = isFromLog(record.type) ? lineKey(record as Parameters<typeof lineKey>[0]) : undefined;
      if (key !== undefined) lines.add(key);
      if (lines.size > MOST) forgetOldest(lines);
    }
  }
  return { decisions: [...decisions].map(([id, entry]) => ({ id, ...entry })), lines };
}

/** Kept now and then: an older place only means more to read. */
export async function keepFrom(directory: string, { segment, offset }: Position): Promise<void> {
  const path = join(directory, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify({ segment, offset })}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

async function readFrom(directory: string, until: Position): Promise<Position> {
  try {
    const value: unknown = JSON.parse(await readFile(join(directory, FILE), "utf8"));
    if (typeof value === "object" && value !== null && "segment" in value && "offset" in value) {
      const { segment, offset } = value;
      const known = Number.isSafeInteger(segment) && Number.isSafeInteger(offset);
      if (known) return { segment: Number(segment), offset: Number(offset) };
    }
  } catch {
    // None was kept yet.
  }
  return { segment: until.segment, offset: 0 };
}

function isFromLog(type: string): boolean {
  return type === "outcome" || type === "refusal" || type === "connection.refused";
}

function forgetOldest(keys: Set<string>): void {
  for (const key of keys) {
    keys.delete(key);
    return;
  }
}
