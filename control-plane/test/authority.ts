import { generateKeyPairSync, randomBytes, sign, X509Certificate } from "node:crypto";
import { Authority } from "../src/ca/authority.ts";
import { issueRoot } from "../src/ca/issue.ts";

/** An authority in memory. */
export function testAuthority(trustDomain: string, now: () => number): Authority {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const root = issueRoot(trustDomain, {
    publicKey: publicKey.export({ type: "spki", format: "der" }),
    serial: randomBytes(16),
    notBeforeMs: now() - 30_000,
    notAfterMs: now() + 3650 * 24 * 3_600_000,
    sign: (toBeSigned) => sign("sha256", toBeSigned, privateKey),
  });
  return new Authority({ trustDomain, privateKey, root: new X509Certificate(root) }, now);
}
