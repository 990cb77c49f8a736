import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { create, fromJsonString } from "@bufbuild/protobuf";
import { type ListLedgersResponse, ListLedgersResponseSchema } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { WitnessedLedger } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import type { Command } from "commander";
import { type AdminClient, askAdmin } from "../admin/client.ts";
import { CliError, reasonOf } from "../errors.ts";
import { readRoots } from "../identity/roots.ts";
import type { Session } from "../session.ts";

/** What ledgers are verified against. */
export interface Trust {
  /** Root certificates, DER. Empty: no signature can be verified. */
  readonly roots: readonly Uint8Array[];
  /** SHA-256 of each, hexadecimal. */
  readonly rootDigests: readonly string[];
  /** What the witness knows, by the ledger's UUID; undefined: it could not be asked. */
  readonly witnessed: ReadonlyMap<string, WitnessedLedger> | undefined;
  /** Why something is missing, for a person. */
  readonly notes: readonly string[];
}

export interface TrustOptions {
  /** Path of a PEM file. */
  readonly roots?: string;
  /** Path of a saved answer. */
  readonly witness?: string;
}

/** Ledgers that are read at a time; and how often, so that no answer goes on for ever. */
const MAX_PAGES = 1_000;

/**
 * Roots and the witness's memory, of files where they are given, else of the control plane. A control plane that was not named and does
 * not answer is no failure: ledgers can be read without one.
 *
 * @throws CliError usage: a file is wrong; else as askAdmin, where the control plane was named.
 */
export async function loadTrust(session: Session, command: Command, options: TrustOptions): Promise<Trust> {
  const notes: string[] = [];
  const given =
    options.roots === undefined ? undefined : readRoots(options.roots, readText(options.roots)).certificates;
  const answer =
    options.witness === undefined
      ? await askWitness(session, command, notes)
      : parseWitness(options.witness, readText(options.witness));
  const roots = given ?? answer?.trustBundle ?? [];
  const rootDigests = roots.map((der) => createHash("sha256").update(der).digest("hex"));
  if (given === undefined && options.witness !== undefined && roots.length > 0)
    notes.push(
      `the roots are those in ${options.witness} (SHA-256 ${rootDigests.join(", ")}): compare them, or give --roots FILE`,
    );
  return { roots, rootDigests, witnessed: answer && byId(answer.ledgers), notes };
}

/** Everything that the witness knows. @throws CliError as askAdmin. */
export async function listLedgers(session: Session, command: Command): Promise<ListLedgersResponse> {
  return await askAdmin(session.endpoint(command), session.host.now(), readPages);
}

async function readPages(admin: AdminClient): Promise<ListLedgersResponse> {
  const all = create(ListLedgersResponseSchema);
  for (let page = 0, after = ""; page < MAX_PAGES; page += 1) {
    const { ledgers, trustBundle, more } = await admin.listLedgers({ after });
    all.ledgers.push(...ledgers);
    all.trustBundle = trustBundle;
    const last = ledgers.at(-1)?.ledger;
    if (!more || last === undefined) break;
    after = last;
  }
  return all;
}

async function askWitness(
  session: Session,
  command: Command,
  notes: string[],
): Promise<ListLedgersResponse | undefined> {
  try {
    return await listLedgers(session, command);
  } catch (error) {
    if (!(error instanceof CliError) || session.namesEndpoint(command)) throw error;
    notes.push(`the witness could not be asked: ${error.message}`);
    return undefined;
  }
}

function parseWitness(path: string, text: string): ListLedgersResponse {
  try {
    return fromJsonString(ListLedgersResponseSchema, text);
  } catch (error) {
    throw new CliError(
      "usage",
      `--witness ${path} is no answer of the witness: \`hedgerow audit witness\` saves one where the control plane is`,
      { cause: error },
    );
  }
}

function byId(ledgers: readonly WitnessedLedger[]): ReadonlyMap<string, WitnessedLedger> {
  return new Map(ledgers.map((ledger) => [ledger.ledger, ledger]));
}

/** @throws CliError usage: the file can't be read. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError("usage", `could not read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
