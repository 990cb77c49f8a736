import { readFileSync } from "node:fs";
import { LedgerError, type LedgerIdentity } from "@hedgerow/ledger";
import { readIdentity } from "@hedgerow/ledger/store";
import { CliError, reasonOf } from "../errors.ts";
import type { Host } from "../host.ts";
import { printable } from "../screen/printable.ts";
import type { Session } from "../session.ts";
import { findSomeLedgers, ledgerPlaces } from "./find-ledgers.ts";

export interface LedgerDirectory {
  readonly directory: string;
  /** Undefined: there is no ledger.json that can be read. */
  readonly identity: LedgerIdentity | undefined;
}

/** @throws CliError usage: there is no ledger, or a directory can't be read. */
export async function openLedgers(
  given: readonly string[] | undefined,
  env: Host["env"],
): Promise<readonly LedgerDirectory[]> {
  const directories = findSomeLedgers(ledgerPlaces(given ?? [], env));
  const opened: LedgerDirectory[] = [];
  for (const directory of directories)
    opened.push({ directory, identity: await unlessUnreadable(directory, () => readIdentity(directory)) });
  return opened;
}

export interface KnownLedger extends LedgerDirectory {
  readonly identity: LedgerIdentity;
}

/**
 * Those that say whose they are: what the others hold can be verified, and belongs to nobody. Of several copies of one ledger the
 * first, or what happened would seem to have happened twice.
 */
export function readableLedgers(session: Session, ledgers: readonly LedgerDirectory[]): readonly KnownLedger[] {
  const known = new Map<string, KnownLedger>();
  for (const { directory, identity } of ledgers) {
    if (identity === undefined)
      session.say(`hedgerow: warning: ${printable(directory)} has no ledger.json: it is not read\n`);
    else {
      const first = known.get(identity.ledger);
      if (first === undefined) known.set(identity.ledger, { directory, identity });
      else
        session.say(
          `hedgerow: warning: ${printable(first.directory)} and ${printable(directory)} are the same ledger: the first is read\n`,
        );
    }
  }
  return [...known.values()];
}

/** Turns what the file system refuses, and what is no ledger, into words. @throws CliError usage. */
export async function unlessUnreadable<T>(directory: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LedgerError || (error instanceof Error && "code" in error))
      throw new CliError("usage", `could not read the ledger ${directory}: ${reasonOf(error)}`, { cause: error });
    throw error;
  }
}

const KEY_BYTES = 32;

/**
 * The key-encryption key in a file: 32 bytes, or their hexadecimal or base64 text.
 *
 * @throws CliError usage: the file can't be read, or holds something else.
 */
export function readEncryptionKey(path: string | undefined): readonly Buffer[] {
  if (path === undefined) return [];
  const bytes = readKeyFile(path);
  if (bytes.length === KEY_BYTES) return [bytes];
  const text = bytes.length <= 2 * KEY_BYTES + 2 ? bytes.toString("latin1").trim() : "";
  const decoded = /^[0-9a-fA-F]{64}$/.test(text)
    ? Buffer.from(text, "hex")
    : /^[A-Za-z0-9+/_-]{43}=?$/.test(text)
      ? Buffer.from(text, "base64")
      : undefined;
  if (decoded?.length !== KEY_BYTES)
    throw new CliError(
      "usage",
      `--encryption-key ${path} does not hold ${KEY_BYTES} bytes, as the policy's secret does`,
    );
  return [decoded];
}

function readKeyFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new CliError("usage", `could not read --encryption-key ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
