// PKCS#10 certification requests (RFC 2986), from strangers.
import { createPublicKey, verify } from "node:crypto";
import { type Asn1, bitStringBytes, childrenOf, decodeDer, encodeDer, isOid } from "./der.ts";
import * as oids from "./oids.ts";

/** Bytes of the largest request that is read; one with a P-256 key and no names takes about 220. */
export const MAX_CSR_BYTES = 4096;

export type CsrResult =
  | { readonly ok: true /** DER SubjectPublicKeyInfo. */; readonly publicKey: Uint8Array }
  | { readonly ok: false; readonly problem: string };

function publicKeyOf(spki: Asn1 | undefined) {
  const [algorithm, point] = childrenOf(spki) ?? [];
  const [id, curve] = childrenOf(algorithm) ?? [];
  if (spki === undefined || !isOid(id, oids.EC_PUBLIC_KEY) || !isOid(curve, oids.PRIME256V1)) return undefined;
  // Uncompressed only: 0x04, X and Y.
  if (bitStringBytes(point)?.length !== 65) return undefined;
  const der = encodeDer(spki);
  try {
    // Refuses a point that is not on the curve.
    return { der, key: createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" }) };
  } catch {
    return undefined;
  }
}

/**
 * The public key of a request, once its signature proves that the sender holds the private key. Names, attributes and
 * extensions in it are claims, and ignored. Takes at most MAX_CSR_BYTES; never throws.
 */
export function parseCsr(der: Uint8Array): CsrResult {
  if (der.length > MAX_CSR_BYTES)
    return { ok: false, problem: `certification request takes ${der.length} bytes, at most ${MAX_CSR_BYTES} are read` };
  const [info, algorithm, signatureNode, ...rest] = childrenOf(decodeDer(der)) ?? [];
  const signature = bitStringBytes(signatureNode);
  if (info === undefined || signature === undefined || rest.length > 0)
    return { ok: false, problem: "certification request is no PKCS#10 in DER" };
  // CertificationRequestInfo: version, subject, subjectPKInfo, attributes.
  const publicKey = publicKeyOf(childrenOf(info)?.[2]);
  if (publicKey === undefined)
    return { ok: false, problem: "certification request holds no valid public key on the curve P-256" };
  if (!isOid(childrenOf(algorithm)?.[0], oids.ECDSA_WITH_SHA256))
    return { ok: false, problem: "certification request is not signed by ECDSA with SHA-256" };
  // Encoded again: bytes that were not DER to begin with no longer match their signature, and are refused.
  if (!verify("sha256", encodeDer(info), publicKey.key, signature))
    return { ok: false, problem: "certification request is not signed by the key in it" };
  return { ok: true, publicKey: publicKey.der };
}
