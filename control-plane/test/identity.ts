import { generateKeyPairSync, X509Certificate } from "node:crypto";
import type { Authority } from "../src/ca/authority.ts";

/** All PEM. */
export interface Identity {
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
}

/** A workload's SVID, as the authority issues it. */
export function identityOf(authority: Authority, nodeId: string, serviceAccount: string): Identity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const { chain } = authority.issueWorkload({ nodeId, serviceAccount, region: undefined }, spki, 3_600_000);
  const pem = (der: Uint8Array) => new X509Certificate(der).toString();
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: chain.map(pem).join(""),
    ca: authority.trustBundle.map(pem).join(""),
  };
}
