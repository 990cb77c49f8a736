import { randomUUID } from "node:crypto";
import { copyFile, link, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { claimsOfCheckpoint } from "../checkpoint-jws.ts";
import { LedgerError } from "../errors.ts";
import type { LedgerIdentity } from "../identity.ts";
import { lastCheckpoint } from "./checkpoints.ts";
import { IDENTITY_FILE, syncDirectory, systemCode, unlessAbsent, writeError } from "./files.ts";
import { type Lock, lockLedger } from "./lock.ts";
import type { LedgerOptions, LedgerWriter } from "./options.ts";
import { readIdentity } from "./read-lines.ts";
import { type Recovered, recoverChain } from "./recover.ts";
import { SegmentWriter } from "./segment-writer.ts";

/** The key of digests that an agent made: it must not change with the ledger, or digests could not be compared. */
const KEPT_FILES = ["digest.key"];

/**
 * Opens a ledger to append to it: begins one where there is none, repairs one that a crash cut short. One that was closed for good,
 * is another workload's, or holds what no crash leaves, is set aside as it is, and a new one begun. Rejects with a LedgerError:
 * locked, damaged (ledger.json), wrong_key, disk_full or write_failed.
 */
export async function openLedger(options: LedgerOptions): Promise<LedgerWriter> {
  try {
    return await openOrBegin(options);
  } catch (thrown) {
    throw writeError(`open ledger in ${options.directory}`, thrown);
  }
}

async function openOrBegin(options: LedgerOptions): Promise<LedgerWriter> {
  const { directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  let archived: string | undefined;
  let damage: string | undefined;
  for (;;) {
    const { identity, created } = await identify(options);
    const lock = await lockLedger(identity.ledger);
    try {
      // Set aside by another writer, before we held its lock.
      if ((await readIdentity(directory))?.ledger === identity.ledger) {
        const recovered = await recoverChain(directory, identity);
        const obstacle = await obstacleTo(options, identity, recovered);
        if (obstacle === undefined && recovered.kind === "intact") {
          return await SegmentWriter.open(options, identity, lock, recovered, {
            created,
            archived,
            repairedBytes: recovered.repairedBytes,
            damaged: damage,
          });
        }
        archived = await setAside(directory, identity);
        damage = obstacle?.damaged;
      }
    } catch (thrown) {
      await release(lock);
      throw thrown;
    }
    await release(lock);
  }
}

const release = (lock: Lock) => lock[Symbol.asyncDispose]();

/** Whose ledger the directory holds; a new one where it holds none. Two that begin one at the same time begin the same. */
async function identify({
  directory,
  node,
  spiffe,
  policy,
}: LedgerOptions): Promise<{ readonly identity: LedgerIdentity; readonly created: boolean }> {
  const path = join(directory, IDENTITY_FILE);
  const identity: LedgerIdentity = { format: 1, ledger: randomUUID(), node, spiffe, policy };
  const temporary = `${path}.${identity.ledger}.new`;
  const existing = await readIdentity(directory);
  if (existing !== undefined) return { identity: existing, created: false };
  try {
    await writeFile(temporary, `${JSON.stringify(identity)}\n`, { mode: 0o600, flush: true });
    await link(temporary, path);
    await syncDirectory(directory);
    return { identity, created: true };
  } catch (thrown) {
    if (systemCode(thrown) !== "EEXIST") throw thrown;
    const theirs = await readIdentity(directory);
    if (theirs !== undefined) return { identity: theirs, created: false };
    throw new LedgerError("damaged", `${path} does not say whose ledger it is`);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Why the ledger in the directory can't be gone on with; `damaged` where someone should look at it. */
async function obstacleTo(
  { directory, node, spiffe, policy }: LedgerOptions,
  identity: LedgerIdentity,
  recovered: Recovered,
): Promise<{ readonly damaged: string | undefined } | undefined> {
  if (recovered.kind === "damaged") return { damaged: recovered.problem };
  const { node: itsNode, spiffe: itsSpiffe, policy: itsPolicy } = identity;
  if (itsNode !== node || itsSpiffe !== spiffe || itsPolicy !== policy) return { damaged: undefined };
  const stored = await lastCheckpoint(directory);
  const claims = stored && claimsOfCheckpoint(stored.checkpoint);
  if (claims === undefined) return undefined;
  // A checkpoint is signed of what is on disk: what a crash leaves is never behind it.
  const lastSeq = recovered.chain.seq - 1;
  if (claims.seq > lastSeq) {
    return { damaged: `a checkpoint covers record ${claims.seq}, and the ledger ends at record ${lastSeq}` };
  }
  return claims.closed === true ? { damaged: undefined } : undefined;
}

/** Renames the directory after its ledger and makes a new one in its place. */
async function setAside(directory: string, { ledger }: LedgerIdentity): Promise<string> {
  const archive = `${directory}~${ledger}`;
  await rename(directory, archive);
  await mkdir(directory, { mode: 0o700 });
  for (const name of KEPT_FILES) await unlessAbsent(copyFile(join(archive, name), join(directory, name)));
  await syncDirectory(join(directory, ".."));
  return archive;
}
