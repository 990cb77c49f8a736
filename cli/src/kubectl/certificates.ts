import { X509Certificate } from "node:crypto";
import type { CertificateFacts, Look } from "../check/facts.ts";

/** The certificates of a caBundle: base64 of PEM. */
export function readCaBundle(bundle: unknown): Look<readonly X509Certificate[]> {
  if (typeof bundle !== "string" || bundle === "") return { ok: false, why: "empty" };
  const pem = Buffer.from(bundle, "base64").toString("latin1");
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) return { ok: false, why: "holds no certificate" };
  try {
    return { ok: true, value: blocks.map((block) => new X509Certificate(block)) };
  } catch {
    return { ok: false, why: "holds something else than certificates" };
  }
}

export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  return {
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    digest: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
  };
}
