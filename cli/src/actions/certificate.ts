import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { askAdmin } from "../admin/client.ts";
import { uriNames } from "../admin/spiffe.ts";
import { isoTime } from "../admin/time.ts";
import type { CertificateOptions } from "../commands/certificate.ts";
import { CliError, type ExitCode, exitCodes, reasonOf } from "../errors.ts";
import { certificateRequest } from "../identity/certificate-request.ts";
import { renderDocument } from "../screen/document.ts";
import type { Session } from "../session.ts";
import { parseTtl } from "./duration.ts";
import { writePrivateFile } from "./write-file.ts";

export async function createCertificate(
  session: Session,
  command: Command,
  name: string,
  { role, ttl, out }: CertificateOptions,
): Promise<ExitCode> {
  const format = session.format(command);
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const request = {
    csr: certificateRequest(keys),
    name,
    role,
    ...(ttl === undefined ? {} : { ttl: parseTtl(ttl) }),
  };
  const answer = await askAdmin(session.endpoint(command), session.host.now(), (admin) =>
    admin.createAdminCertificate(request),
  );
  const chain = answer.certificateChain.map((der) => new X509Certificate(der));
  const roots = answer.trustBundle.map((der) => new X509Certificate(der));
  const [leaf] = chain;
  if (leaf === undefined || roots.length === 0 || !leaf.checkPrivateKey(keys.privateKey))
    throw new CliError("bad", "the control plane answered without a certificate for the new key: see its log");

  const files = { cert: join(out, "cert.pem"), key: join(out, "key.pem"), ca: join(out, "ca.pem") };
  makePrivateDirectory(out);
  writePrivateFile(files.key, keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  writePrivateFile(files.cert, chain.map(String).join(""));
  writePrivateFile(files.ca, roots.map(String).join(""));

  const [spiffeId = ""] = uriNames(leaf.subjectAltName);
  const expiresAt = isoTime(answer.expiresAt) ?? leaf.validToDate.toISOString();
  session.print(
    format === "table"
      ? `${files.cert}: ${spiffeId}, expires ${expiresAt}\n${files.key}, ${files.ca}\n`
      : renderDocument({ spiffeId, expiresAt, files }, format),
  );
  return exitCodes.ok;
}

function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliError("usage", `could not make ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
