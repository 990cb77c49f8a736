import { type CertifiedPeer, peerFromCertificate } from "./peer.ts";

/** Any grpc-js server call. */
export interface AuthenticatedCall {
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Uint8Array } };
}

/** Who is at the other end of a gRPC call over mTLS, by the certificate that the handshake verified, if it is still valid. */
export function peerOfCall(trustDomain: string, call: AuthenticatedCall, nowMs: number): CertifiedPeer | undefined {
  const der = call.getAuthContext().sslPeerCertificate?.raw;
  return der === undefined ? undefined : peerFromCertificate(trustDomain, der, nowMs);
}
