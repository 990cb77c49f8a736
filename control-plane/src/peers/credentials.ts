import type { SecureContextOptions } from "node:tls";
import { createSecureContext } from "node:tls";
import { ChannelCredentials } from "@grpc/grpc-js";
import { peerFromCertificate } from "../ca/peer.ts";

/** How one replica calls another: as the control plane, and to the control plane alone, whatever its address. */
export function peerCredentials(
  { key, cert, ca }: SecureContextOptions,
  trustDomain: string,
  now: () => number,
): ChannelCredentials {
  const context = createSecureContext({ key, cert, ca, minVersion: "TLSv1.3" });
  return ChannelCredentials.createFromSecureContext(context, {
    checkServerIdentity: (_, { raw }) =>
      peerFromCertificate(trustDomain, raw, now())?.kind === "control-plane"
        ? undefined
        : new Error("the server is not the control plane"),
  });
}
