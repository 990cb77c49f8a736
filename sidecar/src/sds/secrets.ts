import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { SecretSchema } from "@hedgerow/proto/envoy/extensions/transport_sockets/tls/v3/secret";
import type { Svid } from "../identity/svid.ts";

/** A secret as it travels. Holds the private key: never to a log, never to a file. */
export interface SecretResource {
  readonly name: string;
  /** Hash of what is public in it: a bundle that did not change is not sent again. */
  readonly version: string;
  readonly resource: Any;
}

/** Envoy's secrets for an SVID, by name: `svid` (chain and key) and `trust-bundle` (the roots that peers must chain to). */
export function buildSecrets(svid: Svid): ReadonlyMap<string, SecretResource> {
  const inline = (value: string) => ({ specifier: { case: "inlineString" as const, value } });
  const certificate = create(SecretSchema, {
    name: "svid",
    type: {
      case: "tlsCertificate",
      value: { certificateChain: inline(svid.chainPem), privateKey: inline(svid.key.pem()) },
    },
  });
  const bundle = create(SecretSchema, {
    name: "trust-bundle",
    type: { case: "validationContext", value: { trustedCa: inline(svid.bundlePem) } },
  });
  return new Map([
    [certificate.name, pack(certificate.name, svid.chainPem, anyPack(SecretSchema, certificate))],
    [bundle.name, pack(bundle.name, svid.bundlePem, anyPack(SecretSchema, bundle))],
  ]);
}

function pack(name: string, content: string, resource: Any): SecretResource {
  return { name, version: createHash("sha256").update(content).digest("hex").slice(0, 16), resource };
}
