import { randomUUID } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { CliError, reasonOf } from "../errors.ts";

/**
 * Writes a file that only its owner may read, whole or not at all; what was there is replaced, its permissions too.
 *
 * @throws CliError usage: it cannot be written.
 */
export function writePrivateFile(path: string, text: string): void {
  const unfinished = `${path}.${randomUUID()}`;
  try {
    writeFileSync(unfinished, text, { mode: 0o600, flag: "wx" });
    renameSync(unfinished, path);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw new CliError("usage", `could not write ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
