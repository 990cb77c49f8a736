import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LedgerRecord } from "@hedgerow/ledger";

/** Directories of the ledgers under one of audit. */
export function ledgerDirectories(audit: string): readonly string[] {
  if (!existsSync(audit)) return [];
  return readdirSync(audit)
    .map((name) => join(audit, name))
    .filter((directory) => existsSync(join(directory, "ledger.json")));
}

/** Every whole record of a ledger that is not encrypted, oldest first; unverified. */
export function readRecords(directory: string): readonly LedgerRecord[] {
  return readdirSync(directory)
    .filter((name) => /^\d{8}\.jsonl$/.test(name))
    .toSorted()
    .flatMap((name) => {
      const text = readFileSync(join(directory, name), "utf8");
      return text
        .slice(0, text.lastIndexOf("\n") + 1)
        .split("\n")
        .filter((line) => line.length > 0)
        .map((line) => JSON.parse(line.slice(line.indexOf(" ") + 1)) as LedgerRecord);
    });
}
