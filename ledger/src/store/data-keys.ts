import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { LedgerError } from "../errors.ts";
import type { SealedRecord } from "../line.ts";
import { KEYS_DIRECTORY, readTextFile, syncDirectory, unlessAbsent, writeWhole } from "./files.ts";
import { unwrapKey, wrapKey } from "./key-wrap.ts";

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SUFFIX = ".jwe";
/** Encrypts the records of one segment. */
export interface DataKey {
  /** SHA-256 of the key, hexadecimal, 16 characters. */
  readonly kid: string;
  readonly key: Buffer;
}

const keyPath = (directory: string, kid: string) => join(directory, KEYS_DIRECTORY, `${kid}${SUFFIX}`);

const nameKey = (key: Buffer): DataKey => ({ kid: createHash("sha256").update(key).digest("hex").slice(0, 16), key });

function unwrap(jwe: string, keyEncryptionKey: Buffer): DataKey | undefined {
  const key = unwrapKey(jwe, keyEncryptionKey);
  return key?.length === KEY_BYTES ? nameKey(key) : undefined;
}

/** Makes a data key and keeps it, wrapped, before anything is encrypted with it. */
export async function createDataKey(directory: string, keyEncryptionKey: Buffer): Promise<DataKey> {
  const dataKey = nameKey(randomBytes(KEY_BYTES));
  await mkdir(join(directory, KEYS_DIRECTORY), { recursive: true, mode: 0o700 });
  await writeWhole(keyPath(directory, dataKey.kid), wrapKey(dataKey.key, dataKey.kid, keyEncryptionKey));
  return dataKey;
}

/** Undefined: it is not there, as after its destruction. Rejects with wrong_key where none of the keys opens it. */
export async function readDataKey(
  directory: string,
  kid: string,
  keyEncryptionKeys: readonly Buffer[],
): Promise<DataKey | undefined> {
  const jwe = await unlessAbsent(readTextFile(keyPath(directory, kid)));
  if (jwe === undefined) return undefined;
  for (const keyEncryptionKey of keyEncryptionKeys) {
    const dataKey = unwrap(jwe, keyEncryptionKey);
    if (dataKey?.kid === kid) return dataKey;
  }
  throw new LedgerError("wrong_key", `data key ${kid} does not open with the key given`);
}

/** Overwritten before it is removed: what a disk keeps of a file that was removed is out of our hands. */
export async function destroyDataKey(directory: string, kid: string): Promise<void> {
  const handle = await unlessAbsent(open(keyPath(directory, kid), "r+"));
  if (handle === undefined) return;
  try {
    await handle.write(Buffer.alloc((await handle.stat()).size), 0, undefined, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rm(keyPath(directory, kid));
  await syncDirectory(join(directory, KEYS_DIRECTORY));
}

/** Wraps every data key of a ledger that nobody writes with another key; those that already are, are left. LedgerWriter does it for its own. */
export async function rewrapKeys(directory: string, oldKey: Buffer, newKey: Buffer): Promise<void> {
  for (const name of (await unlessAbsent(readdir(join(directory, KEYS_DIRECTORY)))) ?? []) {
    if (!name.endsWith(SUFFIX)) continue;
    const kid = name.slice(0, -SUFFIX.length);
    const jwe = await readFile(keyPath(directory, kid), "utf8");
    if (unwrap(jwe, newKey)?.kid === kid) continue;
    const dataKey = unwrap(jwe, oldKey);
    if (dataKey?.kid !== kid) throw new LedgerError("wrong_key", `data key ${kid} does not open with the old key`);
    await writeWhole(keyPath(directory, kid), wrapKey(dataKey.key, kid, newKey));
  }
}

const additionalData = (ledger: string, seq: number) => Buffer.from(`${ledger}/${seq}`);

/** The payload that stands in the ledger for a record. A nonce is random: a number that is written anew after a crash must not meet it twice. */
export function sealPayload(payload: string, ledger: string, seq: number, { kid, key }: DataKey): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData(ledger, seq));
  const sealed = Buffer.concat([nonce, cipher.update(payload, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `{"seq":${seq},"kid":"${kid}","enc":"${sealed.toString("base64url")}"}`;
}

/** The payload that was sealed; undefined: not with this key, or not for this place. */
export function openSealed({ seq, enc }: SealedRecord, ledger: string, { key }: DataKey): string | undefined {
  const sealed = Buffer.from(enc, "base64url");
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(additionalData(ledger, seq)).setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    const start = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([start, decipher.final()]).toString();
  } catch {
    // The tag does not fit: OpenSSL has no other way to say so.
    return undefined;
  }
}
