// Checkpoints and their countersignatures as compact JWS (RFC 7515), and the certificate of the key that signs a ledger's.
import { createHash, verify, X509Certificate } from "node:crypto";
import type { CheckpointClaims, WitnessClaims } from "./checkpoint.ts";

const CHECKPOINT_TYPE = "hedgerow-checkpoint+jwt";
export const WITNESS_TYPE = "hedgerow-witness+jwt";
/** Extended key usage of keys for checkpoints (RFC 9509, id-kp-jwt): an SVID has another, and signs none. */
const CHECKPOINT_USAGE = "1.3.6.1.5.5.7.3.37";
const INSTANCE_SUFFIX = ".instance.hedgerow.internal";
/** Ours take about 1,700. */
export const MAX_CHECKPOINT_BYTES = 8_192;

export type JwsResult<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: string };

export interface SignedCheckpoint {
  readonly claims: CheckpointClaims;
  /** SHA-256 of the compact JWS, hexadecimal. */
  readonly digest: string;
  /** When the certificate of the key begins and ends, Unix ms: whoever knows a time of signing looks whether it lies between. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** SHA-256 of a compact JWS, hexadecimal: how a checkpoint is named. */
export function checkpointDigest(jws: string): string {
  return createHash("sha256").update(jws).digest("hex");
}

/** `chain`: DER, leaf first, without the root. `sign`: Ed25519 by the leaf's key. */
export function encodeCheckpoint(
  claims: CheckpointClaims,
  chain: readonly Uint8Array[],
  sign: (signed: Uint8Array) => Uint8Array,
): string {
  const header = {
    alg: "EdDSA",
    typ: CHECKPOINT_TYPE,
    x5c: chain.map((der) => Buffer.from(der).toString("base64")),
  };
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${Buffer.from(sign(Buffer.from(signed))).toString("base64url")}`;
}

/**
 * The claims of a checkpoint whose key one of `roots` (DER) certified for this workload and node. Whether the certificate was
 * valid when it was signed is the caller's to see, by a time that it trusts.
 */
export function readCheckpoint(jws: string, roots: readonly Uint8Array[]): JwsResult<SignedCheckpoint> {
  const parts = split(jws);
  if (parts === undefined) return wrong("checkpoint is no compact JWS");
  const { alg, typ, x5c, crit } = parts.header;
  if (alg !== "EdDSA" || typ !== CHECKPOINT_TYPE || crit !== undefined)
    return wrong(`checkpoint is not signed as ${CHECKPOINT_TYPE} by EdDSA`);
  const claims = checkpointClaims(parts.claims);
  if (claims === undefined) return wrong("checkpoint's claims are malformed");
  if (!Array.isArray(x5c) || x5c.length !== 1 || typeof x5c[0] !== "string")
    return wrong("checkpoint does not hold the one certificate of its key");
  const certificate = parseCertificate(Buffer.from(x5c[0], "base64"));
  if (certificate === undefined) return wrong("checkpoint's certificate can't be read");
  if (!roots.some((root) => isIssuedBy(certificate, root)))
    return wrong("checkpoint's certificate is not of the trust domain's authority");
  // Undefined where there is no such extension, whatever its type says.
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (usages?.length !== 1 || usages[0] !== CHECKPOINT_USAGE)
    return wrong("checkpoint's certificate is not for checkpoints");
  if (certificate.publicKey.asymmetricKeyType !== "ed25519") return wrong("checkpoint's key is not Ed25519");
  const { spiffeId, node } = namesOf(certificate);
  if (spiffeId !== claims.iss || node !== claims.node)
    return wrong(`checkpoint says ${claims.iss} at ${claims.node}, its certificate ${spiffeId} at ${node}`);
  if (!verify(null, parts.signed, certificate.publicKey, parts.signature))
    return wrong("checkpoint's signature does not verify");
  return {
    ok: true,
    value: {
      claims,
      digest: checkpointDigest(jws),
      notBeforeMs: certificate.validFromDate.getTime(),
      notAfterMs: certificate.validToDate.getTime(),
    },
  };
}

/** The claims of a countersignature by one of `roots` (DER). */
export function readWitness(jws: string, roots: readonly Uint8Array[]): JwsResult<WitnessClaims> {
  const parts = split(jws);
  if (parts === undefined) return wrong("countersignature is no compact JWS");
  const { alg, typ, kid, crit } = parts.header;
  if (alg !== "ES256" || typ !== WITNESS_TYPE || crit !== undefined)
    return wrong(`countersignature is not signed as ${WITNESS_TYPE} by ES256`);
  const root = roots.find((der) => createHash("sha256").update(der).digest("hex") === kid);
  const key = root === undefined ? undefined : parseCertificate(root)?.publicKey;
  if (key === undefined) return wrong("countersignature is by no root of the trust domain");
  if (!verify("sha256", parts.signed, { key, dsaEncoding: "ieee-p1363" }, parts.signature))
    return wrong("countersignature does not verify");
  const claims = witnessClaims(parts.claims);
  return claims === undefined ? wrong("countersignature's claims are malformed") : { ok: true, value: claims };
}

/** What a checkpoint claims, unverified: of a file of one's own, or to say what it is that does not verify. */
export function claimsOfCheckpoint(jws: string): CheckpointClaims | undefined {
  const parts = split(jws);
  return parts === undefined ? undefined : checkpointClaims(parts.claims);
}

function wrong(problem: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem };
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

type Fields = Readonly<Record<string, unknown>>;

function split(
  jws: string,
):
  | { readonly header: Fields; readonly claims: Fields; readonly signed: Buffer; readonly signature: Buffer }
  | undefined {
  if (jws.length > MAX_CHECKPOINT_BYTES) return undefined;
  const [, header, claims, signature] = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(jws) ?? [];
  if (header === undefined || claims === undefined || signature === undefined) return undefined;
  const [headerFields, claimFields] = [parseFields(header), parseFields(claims)];
  if (headerFields === undefined || claimFields === undefined) return undefined;
  return {
    header: headerFields,
    claims: claimFields,
    signed: Buffer.from(`${header}.${claims}`),
    signature: Buffer.from(signature, "base64url"),
  };
}

function parseFields(part: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    // JSON.parse has no other way to say that it is none.
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === "string" && value.length <= 1_024;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isHash = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isUuid = (value: unknown): value is string =>
  typeof value === "string" && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value);
const isAbsentOr = <Value>(value: unknown, is: (value: unknown) => value is Value): value is Value | undefined =>
  value === undefined || is(value);
const isFlag = (value: unknown): value is boolean => typeof value === "boolean";

function checkpointClaims({
  iss,
  iat,
  node,
  ledger,
  segment,
  seq,
  head,
  previous,
  witnessed,
  closed,
}: Fields): CheckpointClaims | undefined {
  if (!isText(iss) || !isCount(iat) || !isText(node) || !isUuid(ledger)) return undefined;
  if (!isCount(segment) || !isCount(seq) || !isHash(head)) return undefined;
  if (!isAbsentOr(previous, isHash) || !isAbsentOr(witnessed, isHash) || !isAbsentOr(closed, isFlag)) return undefined;
  return {
    iss,
    iat,
    node,
    ledger,
    segment,
    seq,
    head,
    ...(previous === undefined ? {} : { previous }),
    ...(witnessed === undefined ? {} : { witnessed }),
    ...(closed === undefined ? {} : { closed }),
  };
}

function witnessClaims({ iss, iat, ledger, seq, head, checkpoint }: Fields): WitnessClaims | undefined {
  return isText(iss) && isCount(iat) && isUuid(ledger) && isCount(seq) && isHash(head) && isHash(checkpoint)
    ? { iss, iat, ledger, seq, head, checkpoint }
    : undefined;
}

function parseCertificate(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    // OpenSSL has no other way to say that the bytes are none.
    return undefined;
  }
}

function isIssuedBy(certificate: X509Certificate, root: Uint8Array): boolean {
  const issuer = parseCertificate(root);
  return issuer !== undefined && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The one URI and the one instance that the authority wrote into it; undefined where it is not one. */
function namesOf({ subjectAltName = "" }: X509Certificate): { spiffeId: string | undefined; node: string | undefined } {
  // Node quotes names that hold anything else than the authority writes; those are nobody's.
  const names = subjectAltName.includes('"') ? [] : subjectAltName.split(", ");
  const of = (prefix: string) =>
    names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const [spiffeId, ...otherIds] = of("URI:");
  const [instance, ...otherInstances] = of("DNS:").filter((name) => name.endsWith(INSTANCE_SUFFIX));
  // The last label is the namespace.
  const [, name, namespace] = /^(.+)\.([^.]+)$/.exec((instance ?? "").slice(0, -INSTANCE_SUFFIX.length)) ?? [];
  return {
    spiffeId: otherIds.length === 0 ? spiffeId : undefined,
    node: name === undefined || otherInstances.length > 0 ? undefined : `${namespace}/${name}`,
  };
}
