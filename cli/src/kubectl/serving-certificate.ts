import type { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { connect, type TLSSocket } from "node:tls";
import type { ClusterFacts, Look } from "../check/facts.ts";
import { certificateFacts } from "./certificates.ts";
import { complaintOf, type Kubectl } from "./kubectl.ts";

const WEBHOOK_PORT = 15_017;
const PATIENCE_MS = 10_000;

/** What a replica of the control plane presents on its webhook's port, seen through `kubectl port-forward`. */
export async function lookAtServingCertificate(
  kubectl: Kubectl,
  roots: readonly X509Certificate[],
): Promise<ClusterFacts["servingCertificate"]> {
  const forward = kubectl.start([
    "port-forward",
    "--namespace=hedgerow-system",
    "--address=127.0.0.1",
    "deployment/control-plane",
    `:${WEBHOOK_PORT}`,
  ]);
  const said = text(forward.stderr);
  try {
    const port = await forwardedPort(forward.stdout);
    return port === undefined ? { ok: false, why: complaintOf(await said) } : await presented(port, roots);
  } finally {
    forward.kill();
  }
}

async function forwardedPort(stdout: NodeJS.ReadableStream): Promise<number | undefined> {
  const lines = createInterface({ input: stdout });
  const patience = AbortSignal.timeout(PATIENCE_MS);
  try {
    const ended = once(lines, "close", { signal: patience }).then((): string[] => []);
    const [line = ""] = await Promise.race([once(lines, "line", { signal: patience }), ended]);
    const [, port] = /127\.0\.0\.1:(\d+) /.exec(String(line)) ?? [];
    return port === undefined ? undefined : Number(port);
  } catch {
    // It neither began nor gave up in time.
    return undefined;
  }
}

async function presented(port: number, roots: readonly X509Certificate[]): Promise<ClusterFacts["servingCertificate"]> {
  const ca = roots.map((root) => root.toString());
  const servername = "control-plane.hedgerow-system.svc";
  // What is not trusted is to be described, not refused; nothing is sent.
  const socket = connect({ host: "127.0.0.1", port, ca, servername, rejectUnauthorized: false });
  try {
    await once(socket, "secureConnect", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return described(socket);
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  } finally {
    socket.destroy();
  }
}

function described(
  socket: TLSSocket,
): Look<ReturnType<typeof certificateFacts> & { trustedBy: "caBundle" | "nobody" }> {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return { ok: false, why: "it presents no certificate" };
  return {
    ok: true,
    value: { ...certificateFacts(certificate), trustedBy: socket.authorized ? "caBundle" : "nobody" },
  };
}
