import { rm } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { TLSSocket } from "node:tls";
import { createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { AdminService } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { peerFromCertificate } from "../ca/peer.ts";
import type { ServerIdentity } from "../ca/server-identity.ts";
import type { ListenAddress } from "../config.ts";
import type { Caller } from "./rights.ts";
import { type AdminDeps, adminService, authorize, callerKey } from "./service.ts";
import { listenUnix } from "./unix-socket.ts";

/** Every request of the admin service is small: the largest holds a PKCS#10 request. */
const MAX_REQUEST_BYTES = 64 * 1024;
/** A call that is being answered when a listener closes has this long. */
const DRAIN_MS = 2_000;
/** Answers of a large mesh are read by people. */
const COMPRESS_MIN_BYTES = 16 * 1024;

function handler(deps: AdminDeps, callerOf: (request: IncomingMessage) => Caller): RequestListener {
  const connect = connectNodeAdapter({
    routes: (router) => router.service(AdminService, adminService(deps)),
    interceptors: [authorize(deps.logger)],
    contextValues: (request) => createContextValues().set(callerKey, callerOf(request as IncomingMessage)),
    readMaxBytes: MAX_REQUEST_BYTES,
    compressMinBytes: COMPRESS_MIN_BYTES,
  });
  return (request, response) => {
    // Connect's adapter makes a URL of these two, and where that fails it ends the process.
    const { host } = request.headers;
    if (host && URL.canParse(request.url ?? "", `http://${host}`)) connect(request, response);
    else response.writeHead(400, { connection: "close" }).end();
  };
}

async function close(server: Server): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await new Promise((resolve) => server.close(resolve));
  clearTimeout(cut);
}

/** AdminService over Connect, HTTP/1.1, on a Unix socket: whoever can open it is an operator. */
export class AdminSocket implements AsyncDisposable {
  readonly #server: Server;
  readonly #path: string;

  private constructor(server: Server, path: string) {
    this.#server = server;
    this.#path = path;
  }

  /** Errors: SOCKET_IN_USE, SOCKET_UNUSABLE. */
  static async listen(deps: AdminDeps, path: string): Promise<AdminSocket> {
    const server = createHttpServer(handler(deps, () => ({ kind: "socket" })));
    await listenUnix(server, path);
    return new AdminSocket(server, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
    await close(this.#server);
  }
}

/** AdminService over Connect, HTTP/1.1, and mTLS: the client certificate carries the role. */
export class AdminListener implements AsyncDisposable {
  readonly address: ListenAddress;
  readonly #server: Server;

  private constructor(server: Server) {
    const { address, port } = server.address() as AddressInfo;
    this.address = { host: address, port };
    this.#server = server;
  }

  static async listen(
    deps: AdminDeps,
    identity: ServerIdentity,
    {
      trustDomain,
      now,
      listen: { host, port },
    }: { readonly trustDomain: string; readonly now: () => number; readonly listen: ListenAddress },
  ): Promise<AdminListener> {
    const callerOf = ({ socket }: IncomingMessage): Caller => {
      const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : undefined;
      const peer =
        certificate?.raw === undefined ? undefined : peerFromCertificate(trustDomain, certificate.raw, now());
      return peer?.kind === "admin" ? { kind: "certificate", role: peer.role, name: peer.name } : { kind: "stranger" };
    };
    const options = { ...identity.context, requestCert: true, rejectUnauthorized: true };
    const server = createHttpsServer(options, handler(deps, callerOf));
    identity.onRenew((context) => server.setSecureContext(context));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, resolve);
    });
    return new AdminListener(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await close(this.#server);
  }
}
