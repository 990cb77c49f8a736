import { X509Certificate } from "node:crypto";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";
import { controlPlaneId, spiffeIdOf } from "./spiffe.ts";
import type { Svid } from "./svid.ts";

/** Options of every channel to the control plane. */
export const CONTROL_PLANE_CHANNEL: ChannelOptions = {
  // A control plane that vanished without a word is noticed after 15 s.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.max_receive_message_length": 64 * 1024 * 1024,
  // Each attempt opens its own connection: no hidden back-off, none of an older SVID.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_http_proxy": 0,
  "grpc.enable_retries": 0,
  // An address is no server name (RFC 6066), and the control plane's own is in its certificate. Whom it proves to be is checked below.
  "grpc.ssl_target_name_override": "control-plane.hedgerow.internal",
};

/** For the enrolment port: the server must be the control plane under this root; the agent has no certificate yet. */
export function enrollCredentials(rootPem: string, trustDomain: string): ChannelCredentials {
  return credentials.createSsl(Buffer.from(rootPem), null, null, {
    checkServerIdentity: checkControlPlane(trustDomain),
  });
}

/** For the mesh port: mutual TLS with the SVID; the server must be the control plane of our trust domain. */
export function meshCredentials(svid: Svid): ChannelCredentials {
  return credentials.createSsl(Buffer.from(svid.bundlePem), Buffer.from(svid.key.pem()), Buffer.from(svid.chainPem), {
    checkServerIdentity: checkControlPlane(svid.trustDomain),
  });
}

// Called after the chain has been verified; replaces the comparison of host names, which SPIFFE does not use.
function checkControlPlane(trustDomain: string): (host: string, certificate: { raw: Buffer }) => Error | undefined {
  const expected = controlPlaneId(trustDomain);
  return (host, { raw }) => {
    const presented = spiffeIdOf(new X509Certificate(raw).subjectAltName);
    if (presented === expected) return undefined;
    return new Error(`${host} presents ${presented ?? "no SPIFFE id"}, expected ${expected}`);
  };
}
