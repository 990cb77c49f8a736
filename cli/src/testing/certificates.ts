import { execFileSync } from "node:child_process";
import { join } from "node:path";

export interface Pem {
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate by openssl, which judges our reading of them; without an issuer it is a root. */
export function makeCertificate(directory: string, name: string, san: string, issuer?: Pem): Pem {
  const pem = { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key.pem`) };
  const isAuthority = issuer === undefined ? "TRUE" : "FALSE";
  const args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650".split(" ");
  args.push("-subj", `/CN=${name}`, "-addext", `subjectAltName=${san}`, "-keyout", pem.key, "-out", pem.cert);
  args.push("-addext", `basicConstraints=critical,CA:${isAuthority}`);
  if (issuer !== undefined) args.push("-CA", issuer.cert, "-CAkey", issuer.key);
  execFileSync("openssl", args, { stdio: "pipe" });
  return pem;
}
