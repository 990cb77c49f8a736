import type { Peer } from "./names.ts";
import { peerFromCertificate } from "./peer.ts";

/** Any grpc-js server call. */
export interface AuthenticatedCall {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Uint8Array } };
}

/** Who is at the other end of a gRPC call over mTLS, by the certificate that the handshake verified. */
export function peerOfCall(trustDomain: string, call: AuthenticatedCall): Peer | undefined {
  const der = call.getAuthContext().sslPeerCertificate?.raw;
  return der === undefined ? undefined : peerFromCertificate(trustDomain, der);
}
