// X.509 certificates of the mesh (RFC 5280; SPIFFE X509-SVID). ECDSA on P-256 with SHA-256 throughout.
import { createHash } from "node:crypto";
import {
  type Asn1,
  bitString,
  bitStringBytes,
  boolean,
  childrenOf,
  decodeDer,
  encodeDer,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  sequence,
  setOf,
  time,
  utf8String,
} from "./der.ts";
import { trustDomainId } from "./names.ts";
import * as oids from "./oids.ts";

/** Signs with the issuer's key: ECDSA over SHA-256, DER-encoded. */
type Sign = (toBeSigned: Uint8Array) => Uint8Array;

interface Issuance {
  /** DER SubjectPublicKeyInfo, of a P-256 key for TLS. */
  readonly publicKey: Uint8Array;
  /** Up to 20 random bytes, at least 8 (RFC 5280 section 4.1.2.2). */
  readonly serial: Uint8Array;
  /** Unix ms; cut to the second. */
  readonly notBeforeMs: number;
  /** Unix ms; cut to the second. */
  readonly notAfterMs: number;
  readonly sign: Sign;
}

/** What a leaf needs to know of its issuer. */
export interface Issuer {
  readonly commonName: string;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
}

export interface LeafNames {
  /** Undefined: a server that is known by DNS names alone, to clients that know nothing of SPIFFE. */
  readonly spiffeId: string | undefined;
  readonly dnsNames: readonly string[];
  /** Ends of TLS, or checkpoints: who signs those must not pass for either end, nor the other way round. */
  readonly usages: readonly ("server" | "client" | "checkpoint")[];
}

/** RFC 5280 section 4.2.1.2, method 1: SHA-1 names the key, it does not protect it. */
function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  const key = bitStringBytes(childrenOf(decodeDer(publicKey))?.[1]);
  if (key === undefined) throw new TypeError("public key is no SubjectPublicKeyInfo");
  return createHash("sha1").update(key).digest();
}

/** Tells roots with different keys apart, by name. */
export function rootCommonName(publicKey: Uint8Array): string {
  return `Hedgerow CA ${Buffer.from(keyIdentifier(publicKey)).toString("hex", 0, 8)}`;
}

function positiveInteger(bytes: Uint8Array): Asn1 {
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first === -1) throw new RangeError("serial number must not be zero");
  const significant = bytes.subarray(first);
  return integer((significant[0] ?? 0) < 0x80 ? significant : Buffer.concat([Buffer.of(0), significant]));
}

function extension(id: string, critical: boolean, value: Asn1): Asn1 {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(encodeDer(value)));
}

const distinguishedName = (commonName: string) =>
  sequence(setOf(sequence(oid(oids.COMMON_NAME), utf8String(commonName))));
const uriName = (uri: string) => implicit(6, Buffer.from(uri, "ascii"));
const dnsName = (name: string) => implicit(2, Buffer.from(name, "ascii"));
const signatureAlgorithm = () => sequence(oid(oids.ECDSA_WITH_SHA256));
const subjectKey = (publicKey: Uint8Array) =>
  extension(oids.SUBJECT_KEY_IDENTIFIER, false, octetString(keyIdentifier(publicKey)));
const authorityKey = (publicKey: Uint8Array) =>
  extension(oids.AUTHORITY_KEY_IDENTIFIER, false, sequence(implicit(0, keyIdentifier(publicKey))));

function certificate(
  { publicKey, serial, notBeforeMs, notAfterMs, sign }: Issuance,
  names: { readonly issuer: string; readonly subject: string | undefined },
  extensions: readonly Asn1[],
): Uint8Array {
  const subjectPublicKeyInfo = decodeDer(publicKey);
  if (subjectPublicKeyInfo === undefined) throw new TypeError("public key is no SubjectPublicKeyInfo");
  const version3 = explicit(0, integer(Buffer.of(2)));
  const toBeSigned = sequence(
    version3,
    positiveInteger(serial),
    signatureAlgorithm(),
    distinguishedName(names.issuer),
    sequence(time(notBeforeMs), time(notAfterMs)),
    names.subject === undefined ? sequence() : distinguishedName(names.subject),
    subjectPublicKeyInfo,
    explicit(3, sequence(...extensions)),
  );
  return encodeDer(sequence(toBeSigned, signatureAlgorithm(), bitString(sign(encodeDer(toBeSigned)))));
}

/** DER of a self-signed root whose SPIFFE id is the trust domain, without a path. `sign` holds `publicKey`'s private key. */
export function issueRoot(trustDomain: string, issuance: Issuance): Uint8Array {
  const commonName = rootCommonName(issuance.publicKey);
  return certificate(issuance, { issuer: commonName, subject: commonName }, [
    extension(oids.BASIC_CONSTRAINTS, true, sequence(boolean(true))),
    // keyCertSign is bit 5 and cRLSign bit 6.
    extension(oids.KEY_USAGE, true, bitString(Buffer.of(0b0000_0110), 1)),
    extension(oids.SUBJECT_ALT_NAME, false, sequence(uriName(trustDomainId(trustDomain)))),
    subjectKey(issuance.publicKey),
    authorityKey(issuance.publicKey),
  ]);
}

/**
 * DER of a leaf. Its subject is empty, so its names are critical (RFC 5280 section 4.2.1.6). `basicConstraints` is present
 * although cA=false is its default: SPIFFE verifiers refuse a leaf without it.
 */
export function issueLeaf(issuer: Issuer, names: LeafNames, issuance: Issuance): Uint8Array {
  const uris = names.spiffeId === undefined ? [] : [uriName(names.spiffeId)];
  const purposes = { server: oids.SERVER_AUTH, client: oids.CLIENT_AUTH, checkpoint: oids.JWT_SIGNING };
  return certificate(issuance, { issuer: issuer.commonName, subject: undefined }, [
    extension(oids.BASIC_CONSTRAINTS, true, sequence()),
    // digitalSignature is bit 0.
    extension(oids.KEY_USAGE, true, bitString(Buffer.of(0b1000_0000), 7)),
    extension(oids.EXT_KEY_USAGE, false, sequence(...names.usages.map((usage) => oid(purposes[usage])))),
    extension(oids.SUBJECT_ALT_NAME, true, sequence(...uris, ...names.dnsNames.map(dnsName))),
    subjectKey(issuance.publicKey),
    authorityKey(issuer.publicKey),
  ]);
}
