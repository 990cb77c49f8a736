// The one place of the authority's key: STATE/ca.pem, created once and never replaced. Its root stands in STATE/root.pem, too:
// where that is and the key is not, the key was lost.
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { ControlPlaneError, messageOf } from "../errors.ts";
import { createOnce, readPrivateFile } from "../state-file.ts";
import { issueRoot } from "./issue.ts";
import { trustDomainOfRoot } from "./peer.ts";

/** The authority's private key and its self-signed root. */
export interface KeyMaterial {
  readonly trustDomain: string;
  readonly privateKey: KeyObject;
  readonly root: X509Certificate;
}

const ROOT_LIFETIME_MS = 10 * 365 * 24 * 3_600_000;
const MAX_FILE_BYTES = 16_384;

const keyFile = (stateDir: string) => join(stateDir, "ca.pem");
const rootFile = (stateDir: string) => join(stateDir, "root.pem");

function parse(path: string, pem: string): KeyMaterial {
  const refuse = (why: string, cause?: unknown) =>
    new ControlPlaneError(
      "CA_KEY_CORRUPT",
      `${path} ${why}; restore it from a copy: it is never replaced, because every SVID hangs on it`,
      { cause },
    );
  const blocks = pem.match(/-----BEGIN ([A-Z ]+)-----\n[A-Za-z0-9+/=\n]+-----END \1-----\n/g) ?? [];
  const [keyBlock, rootBlock] = blocks;
  if (blocks.length !== 2 || keyBlock === undefined || rootBlock === undefined || blocks.join("") !== pem)
    throw refuse("does not hold exactly one private key and one certificate");
  try {
    const privateKey = createPrivateKey(keyBlock);
    const root = new X509Certificate(rootBlock);
    const trustDomain = trustDomainOfRoot(root.raw);
    if (privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw refuse("holds a key that is not on P-256");
    if (trustDomain === undefined || !root.checkPrivateKey(privateKey) || !root.verify(root.publicKey))
      throw refuse("holds a root that is not the key's own");
    return { trustDomain, privateKey, root };
  } catch (error) {
    if (error instanceof ControlPlaneError) throw error;
    throw refuse(`can't be read: ${messageOf(error)}`, error);
  }
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
    const material = parse(path, pem);
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
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const root = issueRoot(trustDomain, {
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    serial: randomBytes(16),
    notBeforeMs: nowMs - 30_000,
    notAfterMs: nowMs + ROOT_LIFETIME_MS,
    sign: (toBeSigned) => sign("sha256", toBeSigned, privateKey),
  });
  const keyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await createOnce(keyFile(stateDir), keyPem + new X509Certificate(root).toString());
  const material = await readKeyMaterial(stateDir);
  if (material === undefined)
    throw new ControlPlaneError("CA_KEY_CORRUPT", `${keyFile(stateDir)} vanished as it was made`);
  return material;
}
