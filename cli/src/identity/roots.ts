import { createHash, X509Certificate } from "node:crypto";
import { trustDomainOfRoot } from "@hedgerow/control-plane";
import { CliError } from "../errors.ts";

export interface Roots {
  readonly trustDomain: string;
  /** SHA-256 of each root's DER, lower-case hexadecimal. */
  readonly digests: readonly string[];
  /** DER. */
  readonly certificates: readonly Uint8Array[];
}

/** What an agent holds. */
const MAX_ROOTS = 16;

/**
 * What a trust bundle in PEM says. `path` is for messages.
 *
 * @throws CliError usage: it is none of one mesh's.
 */
export function readRoots(path: string, pem: string): Roots {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const roots = blocks.map((block) => {
    try {
      return new X509Certificate(block).raw;
    } catch (error) {
      throw new CliError("usage", `${path} holds a certificate that can't be read`, { cause: error });
    }
  });
  const trustDomains = new Set(roots.map(trustDomainOfRoot));
  const [trustDomain] = trustDomains;
  if (trustDomain === undefined || trustDomains.size !== 1 || roots.length > MAX_ROOTS)
    throw new CliError("usage", `${path} does not hold the roots of one mesh: 1 to ${MAX_ROOTS} certificates, PEM`);
  return {
    trustDomain,
    digests: roots.map((der) => createHash("sha256").update(der).digest("hex")),
    certificates: roots,
  };
}
