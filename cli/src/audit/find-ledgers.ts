import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { CliError, reasonOf } from "../errors.ts";
import type { Host } from "../host.ts";

const DEFAULT_DIRECTORY = "/var/lib/hedgerow/audit";
/** As in AUDIT/POD/POLICY below a volume that pods share. */
const MAX_DEPTH = 4;
/** More is no directory of ledgers. */
const MAX_DIRECTORIES = 100_000;

/** Where ledgers are looked for: those of the command line, else the setting, else where a control plane keeps its own. */
export function ledgerPlaces(given: readonly string[], env: Host["env"]): readonly string[] {
  return given.length > 0 ? given : [env["HEDGEROW_AUDIT"] || DEFAULT_DIRECTORY];
}

/**
 * Directories of ledgers in and below those given, in the order of their names. What has segments but no ledger.json is one, too: it
 * lost it.
 *
 * @throws CliError usage: there is none, or a directory can't be read.
 */
function findLedgers(places: readonly string[]): readonly string[] {
  const found = new Set<string>();
  let visited = 0;
  const visit = (directory: string, depth: number): void => {
    visited += 1;
    if (visited > MAX_DIRECTORIES)
      throw new CliError(
        "usage",
        `more than ${MAX_DIRECTORIES} directories below ${places.join(", ")}: name one with fewer`,
      );
    const entries = list(directory);
    if (entries.some(({ name }) => name === "ledger.json" || /^\d{8}\.jsonl$/.test(name))) {
      found.add(directory);
    }
    if (depth === MAX_DEPTH) return;
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
      if (entry.isDirectory()) visit(join(directory, entry.name), depth + 1);
  };
  for (const place of places) {
    if (!isDirectory(place))
      throw new CliError(
        "usage",
        `${place} is no directory of ledgers: name one with --ledger DIR, or set HEDGEROW_AUDIT`,
      );
    visit(place, 0);
  }
  return [...found];
}

/** @throws CliError usage: there is none. */
export function findSomeLedgers(places: readonly string[]): readonly string[] {
  const found = findLedgers(places);
  if (found.length === 0)
    throw new CliError(
      "usage",
      `no ledger in or below ${places.join(", ")}: name a directory of ledgers with --ledger DIR, or set HEDGEROW_AUDIT`,
    );
  return found;
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new CliError(
      "usage",
      `could not read ${path}: ${reasonOf(error)}; name a directory of ledgers with --ledger DIR, or set HEDGEROW_AUDIT`,
      { cause: error },
    );
  }
}

function list(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    throw new CliError("usage", `could not read ${directory}: ${reasonOf(error)}`, { cause: error });
  }
}
