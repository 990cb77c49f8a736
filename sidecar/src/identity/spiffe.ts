/** The SPIFFE id of the control plane of a trust domain. */
export function controlPlaneId(trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/hedgerow-system/sa/control-plane`;
}

/**
 * The SPIFFE id of a certificate, from the `subjectAltName` that node:crypto prints. Undefined unless the certificate has
 * exactly one URI SAN and it is a SPIFFE id (SPIFFE X509-SVID section 2).
 */
export function spiffeIdOf(subjectAltName: string | undefined): string | undefined {
  // node:crypto quotes values with odd characters as JSON (its answer to CVE-2021-44532); no id of ours has any.
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined;
  const uris = subjectAltName
    .split(", ")
    .filter((name) => name.startsWith("URI:"))
    .map((name) => name.slice("URI:".length));
  const [id] = uris;
  return uris.length === 1 && id !== undefined && /^spiffe:\/\/[a-z0-9._-]+\/[A-Za-z0-9._/-]+$/.test(id)
    ? id
    : undefined;
}

/** The trust domain of a SPIFFE id. */
export function trustDomainOf(spiffeId: string): string {
  return spiffeId.slice("spiffe://".length).split("/", 1)[0] ?? "";
}
