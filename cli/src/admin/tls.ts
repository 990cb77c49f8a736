import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { PeerCertificate, SecureContextOptions } from "node:tls";
import { CliError, reasonOf } from "../errors.ts";
import type { Endpoint } from "./endpoint.ts";
import { controlPlaneId, trustDomainOf, uriNames } from "./spiffe.ts";

export interface ClientTls extends Pick<SecureContextOptions, "cert" | "key" | "ca" | "minVersion"> {
  checkServerIdentity(host: string, certificate: Pick<PeerCertificate, "subjectaltname">): Error | undefined;
}

/** Says that a server proved to be somebody else than the control plane. */
export class WrongServerError extends Error {
  override readonly name = "WrongServerError";
}

/**
 * Reads the person's certificate and the trust bundle. The server is known by its SPIFFE id, not by the host name that
 * leads to it, so that an address may change (SPIFFE X509-SVID section 5.2).
 *
 * @throws CliError usage: a file is missing or holds something else; refused: the certificate is out of date.
 */
export function readClientTls(endpoint: Extract<Endpoint, { kind: "server" }>, nowMs: number): ClientTls {
  const cert = readPem("--cert", endpoint.cert);
  const key = readPem("--key", endpoint.key);
  const ca = readPem("--ca", endpoint.ca);
  const own = parseCertificate("--cert", endpoint.cert, cert);
  const root = parseCertificate("--ca", endpoint.ca, ca);
  if (!own.checkPrivateKey(parseKey(endpoint.key, key)))
    throw new CliError("usage", `${endpoint.key} is not the key of ${endpoint.cert}`);
  if (own.validToDate.getTime() <= nowMs)
    throw new CliError(
      "refused",
      `${endpoint.cert} expired at ${own.validToDate.toISOString()}: make a new one with \`hedgerow certificate create\``,
    );
  const trustDomain = [...uriNames(root.subjectAltName), ...uriNames(own.subjectAltName)]
    .map(trustDomainOf)
    .find((domain) => domain !== undefined);
  if (trustDomain === undefined)
    throw new CliError("usage", `neither ${endpoint.ca} nor ${endpoint.cert} names a SPIFFE trust domain`);
  return { cert, key, ca, minVersion: "TLSv1.3", checkServerIdentity: identityCheck(controlPlaneId(trustDomain)) };
}

function identityCheck(expected: string): ClientTls["checkServerIdentity"] {
  return (_host, { subjectaltname }) => {
    const uris = uriNames(subjectaltname);
    if (uris.length === 1 && uris[0] === expected) return undefined;
    return new WrongServerError(`it is ${uris.join(" and ") || "without a SPIFFE id"}, not ${expected}`);
  };
}

function readPem(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new CliError("usage", `could not read ${option} ${path}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function parseCertificate(option: string, path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new CliError("usage", `${option} ${path} holds no PEM certificate`, { cause: error });
  }
}

function parseKey(path: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new CliError("usage", `--key ${path} holds no PEM private key`, { cause: error });
  }
}
