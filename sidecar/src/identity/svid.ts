import { type KeyObject, X509Certificate } from "node:crypto";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Svid as SvidMessage } from "@hedgerow/proto/hedgerow/ca/v1/ca";
import type { Lifetime } from "./renewal.ts";
import { spiffeIdOf, trustDomainOf } from "./spiffe.ts";

/** A private key in memory. Prints as [redacted]; `pem()` is for TLS contexts and SDS alone, never for a file. */
export class PrivateKey {
  readonly #key: KeyObject;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** PKCS#8, PEM. */
  pem(): string {
    return this.#key.export({ type: "pkcs8", format: "pem" }).toString();
  }

  matches(certificate: X509Certificate): boolean {
    return certificate.checkPrivateKey(this.#key);
  }

  toJSON(): string {
    return "[redacted]";
  }
}

/** The workload's identity as it stands: an X.509-SVID, its key, and the roots that peers are verified against. */
export interface Svid extends Lifetime {
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** NAMESPACE/NAME: the xDS node id that this SVID owns. */
  readonly nodeId: string;
  /** PEM, leaf first. */
  readonly chainPem: string;
  /** PEM of every root; replaces what an earlier SVID brought. */
  readonly bundlePem: string;
  readonly key: PrivateKey;
}

/** What the agent holds an answer of the CA against. */
export interface Expected {
  readonly key: PrivateKey;
  readonly trustDomain: string;
  readonly nodeId: string;
  readonly nowMs: number;
}

/** Checks the CA's answer: our key, one SPIFFE id of our trust domain, our node id, valid now, issued under the bundle. */
export function readSvid(
  message: SvidMessage | undefined,
  expected: Expected,
): { readonly ok: true; readonly value: Svid } | { readonly ok: false; readonly message: string } {
  const wrong = (text: string) => ({ ok: false as const, message: text });
  if (message === undefined) return wrong("answer holds no SVID");
  const chain = parseAll(message.certificateChain);
  const bundle = parseAll(message.trustBundle);
  const leaf = chain?.[0];
  if (chain === undefined || leaf === undefined) return wrong("certificate chain is empty or no DER");
  if (bundle === undefined || bundle.length === 0) return wrong("trust bundle is empty or no DER");
  const spiffeId = spiffeIdOf(leaf.subjectAltName);
  if (spiffeId === undefined) return wrong("certificate has not exactly one SPIFFE id");
  if (spiffeId !== message.spiffeId) return wrong("certificate and answer name different SPIFFE ids");
  if (trustDomainOf(spiffeId) !== expected.trustDomain)
    return wrong(`SPIFFE id ${spiffeId} is of another trust domain`);
  if (message.nodeId !== expected.nodeId)
    return wrong(`answer is for node ${message.nodeId}, expected ${expected.nodeId}`);
  if (!expected.key.matches(leaf)) return wrong("certificate is for another key");
  const notAfterMs = leaf.validToDate.getTime();
  if (message.notAfter !== undefined && Math.abs(timestampMs(message.notAfter) - notAfterMs) >= 1000) {
    return wrong("certificate and answer name different ends of validity");
  }
  if (notAfterMs <= expected.nowMs) return wrong("certificate has expired: is this machine's clock right?");
  if (leaf.validFromDate.getTime() > expected.nowMs)
    return wrong("certificate is not valid yet: is this machine's clock right?");
  if (!chainsToBundle(chain, bundle)) return wrong("certificate chain does not lead to the trust bundle");
  return {
    ok: true,
    value: {
      spiffeId,
      trustDomain: expected.trustDomain,
      nodeId: expected.nodeId,
      chainPem: chain.map(String).join(""),
      bundlePem: bundle.map(String).join(""),
      key: expected.key,
      receivedAtMs: expected.nowMs,
      notAfterMs,
    },
  };
}

function parseAll(ders: readonly Uint8Array[]): X509Certificate[] | undefined {
  try {
    return ders.map((der) => new X509Certificate(der));
  } catch {
    return undefined;
  }
}

function chainsToBundle(chain: readonly X509Certificate[], bundle: readonly X509Certificate[]): boolean {
  const issues = (issuer: X509Certificate, subject: X509Certificate) =>
    subject.checkIssued(issuer) && subject.verify(issuer.publicKey);
  const last = chain.at(-1);
  const linked = chain.every((certificate, index) => {
    const issuer = chain[index + 1];
    return issuer === undefined || issues(issuer, certificate);
  });
  return linked && last !== undefined && bundle.some((root) => issues(root, last));
}
