import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";
import { ChannelCredentials, Server, type ServerCredentials } from "@grpc/grpc-js";
import type { Authority } from "../src/ca/authority.ts";
import { type TestKey, testKey } from "./csr.ts";

export interface PeerFiles {
  readonly key: string;
  /** Leaf first. */
  readonly cert: string;
  readonly ca: string;
}

const pem = (ders: readonly Uint8Array[]) => ders.map((der) => new X509Certificate(der).toString()).join("");

/** PEM of a key and what was issued for it, with `trust`'s roots. */
export function peerFiles(key: TestKey, chain: readonly Uint8Array[], trustBundle: readonly Uint8Array[]): PeerFiles {
  return {
    key: key.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: pem(chain),
    ca: pem(trustBundle),
  };
}

/** A workload that has its SVID. */
export function testWorkload(
  authority: Authority,
  nodeId: string,
  {
    serviceAccount = "digits",
    region,
    lifetimeMs = 3_600_000,
  }: { readonly serviceAccount?: string; readonly region?: string; readonly lifetimeMs?: number } = {},
): PeerFiles {
  const key = testKey();
  const spki = key.publicKey.export({ type: "spki", format: "der" });
  const { chain } = authority.issueWorkload({ nodeId, serviceAccount, region }, spki, lifetimeMs);
  return peerFiles(key, chain, authority.trustBundle);
}

/** Host names mean nothing in a mesh: the server is verified against the root alone. */
export function channelCredentials(ca: string, peer?: Pick<PeerFiles, "key" | "cert">): ChannelCredentials {
  const buffer = (text: string | undefined) => (text === undefined ? null : Buffer.from(text));
  return ChannelCredentials.createSsl(Buffer.from(ca), buffer(peer?.key), buffer(peer?.cert), {
    checkServerIdentity: () => undefined,
  });
}

export interface TestServer extends AsyncDisposable {
  readonly address: string;
}

/** A gRPC server on a free port of 127.0.0.1. */
export async function testServer(
  credentials: ServerCredentials,
  services: readonly Parameters<Server["addService"]>[],
): Promise<TestServer> {
  const server = new Server();
  for (const service of services) server.addService(...service);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

/** A TLS connection as HTTP/2 clients make it. Rejects when the handshake fails, or the server refuses the certificate. */
export async function tlsConnect(
  address: string,
  options: { ca: string; key?: string; cert?: string; maxVersion?: "TLSv1.2" },
): Promise<TLSSocket> {
  const [host, port] = address.split(":");
  const socket = connect({
    host: host ?? "",
    port: Number(port),
    ALPNProtocols: ["h2"],
    checkServerIdentity: () => undefined,
    ...options,
  });
  // In TLS 1.3 a server looks at the client's certificate after the client is done: wait for its first frame, SETTINGS.
  // One that is refused there sees the connection end, with an alert or without.
  const refused = once(socket, "close").then(() => {
    throw new Error("the server closed the connection");
  });
  await Promise.race([once(socket, "data"), refused]);
  refused.catch(() => {});
  return socket;
}

/** PEM of the root that a server presents behind its leaf, as a first caller sees it. */
export async function presentedRoot(address: string): Promise<string> {
  const [host, port] = address.split(":");
  const socket = connect({
    host: host ?? "",
    port: Number(port),
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  await once(socket, "secureConnect");
  const leaf = socket.getPeerCertificate(true);
  socket.destroy();
  return new X509Certificate(leaf.issuerCertificate.raw).toString();
}
