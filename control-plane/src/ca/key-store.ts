// The key's place in a state directory: STATE/ca.pem, created once and never replaced. Its root stands in STATE/root.pem, too:
// where that is and the key is not, the key was lost.
import { join } from "node:path";
import { ControlPlaneError } from "../errors.ts";
import { createOnce, readPrivateFile } from "../state-file.ts";
import { type KeyMaterial, type KeyStore, newKeyPem, parseKeyPem } from "./key-material.ts";

const MAX_FILE_BYTES = 16_384;

const keyFile = (stateDir: string) => join(stateDir, "ca.pem");
const rootFile = (stateDir: string) => join(stateDir, "root.pem");

/** `now` gives Unix ms. Errors as of `readKeyMaterial`. */
export function directoryKeyStore(stateDir: string, now: () => number): KeyStore {
  return {
    read: () => readKeyMaterial(stateDir),
    create: (trustDomain) => createKeyMaterial(stateDir, trustDomain, now()),
  };
}

/**
 * The authority of this state directory; undefined when it has none yet.
 * Errors: FILE_EXPOSED, FILE_TOO_LARGE, CA_KEY_CORRUPT, CA_KEY_MISSING (it had one).
 */
export async function readKeyMaterial(stateDir: string): Promise<KeyMaterial | undefined> {
  const path = keyFile(stateDir);
  // Looked for first, because it is made last.
  const hadOne = (await readPrivateFile(rootFile(stateDir), MAX_FILE_BYTES)) !== undefined;
  const pem = await readPrivateFile(path, MAX_FILE_BYTES);
  if (pem !== undefined) {
    const material = parseKeyPem(path, pem);
    if (!hadOne) await createOnce(rootFile(stateDir), material.root.toString());
    return material;
  }
  if (!hadOne) return undefined;
  throw new ControlPlaneError(
    "CA_KEY_MISSING",
    `${path} is gone; restore it from a copy, or remove ${rootFile(stateDir)} for a new authority, which nobody trusts yet`,
  );
}

/**
 * The authority of this state directory, made now unless another process made it first: whoever loses takes the winner's.
 * Errors as of `readKeyMaterial`.
 */
export async function createKeyMaterial(stateDir: string, trustDomain: string, nowMs: number): Promise<KeyMaterial> {
  const present = await readKeyMaterial(stateDir);
  if (present !== undefined) return present;
  await createOnce(keyFile(stateDir), newKeyPem(trustDomain, nowMs));
  const material = await readKeyMaterial(stateDir);
  if (material === undefined)
    throw new ControlPlaneError("CA_KEY_CORRUPT", `${keyFile(stateDir)} vanished as it was made`);
  return material;
}
