import { X509Certificate } from "node:crypto";
import { childrenOf, contentOf, decodeDer, isOid } from "./der.ts";
import { type Peer, peerFromNames } from "./names.ts";
import * as oids from "./oids.ts";

/** Bytes of the largest certificate that is read; ours take about 700. */
const MAX_CERTIFICATE_BYTES = 16_384;

/** URI and DNS names of a certificate's subjectAltName; undefined when the bytes are no certificate that has one. */
function subjectAltNames(der: Uint8Array): { uris: string[]; dnsNames: string[] } | undefined {
  const toBeSigned = childrenOf(childrenOf(decodeDer(der))?.[0]);
  // version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, then extensions under [3].
  const extensions = toBeSigned?.slice(7).flatMap((node) => childrenOf(childrenOf(node, 3)?.[0]) ?? []);
  const found = extensions?.map(childrenOfExtension).filter(([id]) => isOid(id, oids.SUBJECT_ALT_NAME)) ?? [];
  const value = contentOf(found[0]?.at(-1), "octetString");
  const names = value === undefined || found.length !== 1 ? undefined : childrenOf(decodeDer(value));
  if (names === undefined) return undefined;
  const text = (tag: number) =>
    names.flatMap((name) => {
      const content = contentOf(name, { context: tag });
      return content === undefined ? [] : [Buffer.from(content).toString("latin1")];
    });
  return { uris: text(6), dnsNames: text(2) };
}

function childrenOfExtension(node: Parameters<typeof childrenOf>[0]) {
  return childrenOf(node) ?? [];
}

/** Whom a certificate names, and until when (Unix ms). */
export type CertifiedPeer = Peer & { readonly notAfterMs: number };

/**
 * Whom a certificate names, in DER as TLS received it; undefined when it names nobody of this trust domain, or has expired:
 * TLS looks at it only when a connection begins. Its signature was TLS's to check.
 */
export function peerFromCertificate(trustDomain: string, der: Uint8Array, nowMs: number): CertifiedPeer | undefined {
  if (der.length > MAX_CERTIFICATE_BYTES) return undefined;
  const names = subjectAltNames(der);
  const peer = names && peerFromNames(trustDomain, names);
  if (peer === undefined) return undefined;
  const notAfterMs = endOf(der);
  return notAfterMs !== undefined && nowMs < notAfterMs ? { ...peer, notAfterMs } : undefined;
}

function endOf(der: Uint8Array): number | undefined {
  try {
    return new X509Certificate(der).validToDate.getTime();
  } catch {
    // Names that can be read make no certificate yet; a test changes bytes at will.
    return undefined;
  }
}

/** The trust domain whose root this is: its one URI SAN is a SPIFFE id without a path (SPIFFE X509-SVID section 3.2). */
export function trustDomainOfRoot(der: Uint8Array): string | undefined {
  const [id, ...others] = subjectAltNames(der)?.uris ?? [];
  return others.length > 0 ? undefined : /^spiffe:\/\/([a-z0-9.-]{1,253})$/.exec(id ?? "")?.[1];
}
