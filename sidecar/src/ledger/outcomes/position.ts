import { readFile, rename, writeFile } from "node:fs/promises";
import type { LogPosition } from "./log-file.ts";

/** Undefined: none was kept, or what was kept can't be read. Then reading begins at the file's begin. */
export async function readPosition(path: string): Promise<LogPosition | undefined> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { inode, print, offset } = value as Readonly<Record<string, unknown>>;
  if (!isCount(inode) || !isCount(offset) || typeof print !== "string") return undefined;
  return { inode, print, offset };
}

/** Not forced to disk: after a power failure Envoy's log has lost more. */
export async function writePosition(path: string, position: LogPosition): Promise<void> {
  await writeFile(`${path}.new`, `${JSON.stringify(position)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
