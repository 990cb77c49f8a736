// The authority's key and root, as PEM: what a file or a Secret holds of them.
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { ControlPlaneError, messageOf } from "../errors.ts";
import { issueRoot } from "./issue.ts";
import { trustDomainOfRoot } from "./peer.ts";

/** The authority's private key and its self-signed root. */
export interface KeyMaterial {
  readonly trustDomain: string;
  readonly privateKey: KeyObject;
  readonly root: X509Certificate;
}

/** The one place that the authority's key is kept in. */
export interface KeyStore {
  /** Undefined where there is none yet. */
  read(): Promise<KeyMaterial | undefined>;
  /** Made now, unless somebody made it first: whoever loses takes the winner's, whatever its trust domain. */
  create(trustDomain: string): Promise<KeyMaterial>;
}

const ROOT_LIFETIME_MS = 10 * 365 * 24 * 3_600_000;

/** A new key and its root, as PEM. */
export function newKeyPem(trustDomain: string, nowMs: number): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const root = issueRoot(trustDomain, {
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    serial: randomBytes(16),
    notBeforeMs: nowMs - 30_000,
    notAfterMs: nowMs + ROOT_LIFETIME_MS,
    sign: (toBeSigned) => sign("sha256", toBeSigned, privateKey),
  });
  return keyPem({ privateKey, root: new X509Certificate(root) });
}

export function keyPem({ privateKey, root }: Pick<KeyMaterial, "privateKey" | "root">): string {
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString() + root.toString();
}

/** Exactly one key and its own root. `where` names the place to people. Error CA_KEY_CORRUPT. */
export function parseKeyPem(where: string, pem: string): KeyMaterial {
  const refuse = (why: string, cause?: unknown) =>
    new ControlPlaneError(
      "CA_KEY_CORRUPT",
      `${where} ${why}; restore it from a copy: it is never replaced, because every SVID hangs on it`,
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
