import { createHash, type X509Certificate } from "node:crypto";
import { connect } from "node:tls";
import { messageOf, SidecarError } from "../errors.ts";
import type { EnrolmentToken } from "./token.ts";

const TIMEOUT_MS = 10_000;
/** A control plane presents its leaf and a root or two; a chain without end is somebody's joke. */
const MAX_CHAIN = 10;
/** Who says which roots to trust, and what to do when they are no longer those of the control plane. */
const NAMED_BY = {
  join_token: "the join token names",
  service_account: "HEDGEROW_ROOT_DIGESTS names; a new pod is given those of today",
} as const;

/**
 * Asks the enrolment port for its certificate chain and returns, as PEM, the root in it whose digest came with the token.
 * Nothing is verified on this connection and nothing secret is sent over it: whoever answers gains an empty handshake.
 *
 * Errors: control_plane_untrusted (no certificate in the chain has such a digest); connection errors as they come.
 */
export async function fetchTrustedRoot(
  target: { readonly host: string; readonly port: number },
  { kind, rootDigests }: Pick<EnrolmentToken, "kind" | "rootDigests">,
  signal: AbortSignal,
): Promise<string> {
  const chain = await presentedChain(target, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
  const digests = chain.map((certificate) => createHash("sha256").update(certificate.raw).digest("hex"));
  const root = chain.find((_, index) => rootDigests.has(digests[index] ?? ""));
  if (root === undefined) {
    const presented = digests.map((digest) => digest.slice(0, 16)).join(", ");
    throw new SidecarError(
      "control_plane_untrusted",
      `the control plane at ${target.host}:${target.port} does not present a root that ${NAMED_BY[kind]} (presented: ${presented})`,
    );
  }
  return root.toString();
}

async function presentedChain(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<X509Certificate[]> {
  const { promise, resolve, reject } = Promise.withResolvers<X509Certificate[]>();
  const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  const abort = () => {
    reject(new Error(`no TLS handshake with ${host}:${port}: ${messageOf(signal.reason)}`));
  };
  signal.addEventListener("abort", abort, { once: true });
  socket.once("error", reject);
  socket.once("close", () => reject(new Error(`connection to ${host}:${port} closed during the TLS handshake`)));
  socket.once("secureConnect", () => {
    const chain: X509Certificate[] = [];
    let next = socket.getPeerX509Certificate();
    while (next !== undefined && chain.length < MAX_CHAIN) {
      chain.push(next);
      next = next.issuerCertificate;
    }
    resolve(chain);
  });
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}
