/**
 * The URIs of a subjectAltName as `node:crypto` and `node:tls` print it. A value with a comma or a quote is printed as a
 * JSON string, so that a DNS name cannot pretend to be two entries.
 */
export function uriNames(subjectAltName: string | undefined): string[] {
  const entries = (subjectAltName ?? "").matchAll(/([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g);
  return [...entries].flatMap(([, type, value]) => (type === "URI" && value !== undefined ? [value] : []));
}

/** The trust domain of a SPIFFE id, or of a trust domain's own id; undefined when `uri` is neither. */
export function trustDomainOf(uri: string): string | undefined {
  return /^spiffe:\/\/([a-z0-9._-]+)(?:\/|$)/.exec(uri)?.[1];
}

/** Who the control plane of a trust domain is (ARCHITECTURE.md, "Identity"). */
export function controlPlaneId(trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/hedgerow-system/sa/control-plane`;
}
