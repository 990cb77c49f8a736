import { readFile, rename, writeFile } from "node:fs/promises";

/** How far a sink has come in a ledger: sinks/NAME.json. */
export interface Cursor {
  /** UUID of the ledger, and what the sink is: of another, the cursor says nothing. */
  readonly ledger: string;
  readonly target: string;
  /** The next byte to ship. */
  readonly segment: number;
  readonly offset: number;
  /** Where the stretch ends that is being shipped: after a crash the same is shipped again, not one that overlaps it. */
  readonly planned?: number | undefined;
  /** The last record that the sink has; -1: none. */
  readonly seq: number;
  /** Bytes of checkpoints.jsonl that it has. */
  readonly checkpoints: number;
  /** True once it has ledger.json. */
  readonly begun: boolean;
  /** Wrapped data keys that it has, by kid: SHA-256 of what was put, and what names that version there. */
  readonly keys: Readonly<Record<string, { readonly digest: string; readonly version: string }>>;
}

export function freshCursor(ledger: string, target: string, segment: number): Cursor {
  return { ledger, target, segment, offset: 0, seq: -1, checkpoints: 0, begun: false, keys: {} };
}

/** Undefined: none, or none of this ledger and sink. */
export async function readCursor(path: string, ledger: string, target: string): Promise<Cursor | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch {
    // Whatever is not known to be there is shipped again.
    return undefined;
  }
  return isCursor(value) && value.ledger === ledger && value.target === target ? value : undefined;
}

export async function writeCursor(path: string, cursor: Cursor): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(cursor)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

function isCursor(value: unknown): value is Cursor {
  if (typeof value !== "object" || value === null) return false;
  const { ledger, target, segment, offset, planned, seq, checkpoints, begun, keys } = value as Readonly<
    Record<string, unknown>
  >;
  const counts = [segment, offset, checkpoints, planned ?? 0, Number(seq) + 1];
  return (
    typeof ledger === "string" &&
    typeof target === "string" &&
    typeof begun === "boolean" &&
    counts.every((count) => Number.isSafeInteger(count) && Number(count) >= 0) &&
    isKeys(keys)
  );
}

function isKeys(value: unknown): value is Cursor["keys"] {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value as Record<string, unknown>).every(
      (key) =>
        typeof key === "object" &&
        key !== null &&
        "digest" in key &&
        typeof key.digest === "string" &&
        "version" in key &&
        typeof key.version === "string",
    )
  );
}
