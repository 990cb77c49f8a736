import { Server, type ServerCredentials, type ServerOptions } from "@grpc/grpc-js";
import type { ListenAddress } from "./config.ts";

/** A call that is being answered when a listener closes has this long. */
const DRAIN_MS = 2_000;

/** host:port, IPv6 in brackets. */
export function formatAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A gRPC server on one address. */
export class GrpcListener implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;

  private constructor(server: Server, address: string) {
    this.#server = server;
    this.address = address;
  }

  /** Rejects when the address can't be had. */
  static async listen(
    listen: ListenAddress,
    credentials: ServerCredentials,
    services: readonly Parameters<Server["addService"]>[],
    options: ServerOptions,
  ): Promise<GrpcListener> {
    const server = new Server(options);
    for (const service of services) server.addService(...service);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(formatAddress(listen), credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    return new GrpcListener(server, formatAddress({ host: listen.host, port }));
  }

  /** Takes no more connections at once; resolves when the calls that stand are over, or cut off. */
  async [Symbol.asyncDispose](): Promise<void> {
    const cut = setTimeout(() => this.#server.forceShutdown(), DRAIN_MS);
    await new Promise((resolve) => this.#server.tryShutdown(resolve));
    clearTimeout(cut);
    this.#server.forceShutdown();
  }
}
