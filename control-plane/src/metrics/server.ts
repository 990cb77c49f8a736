import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { ListenAddress } from "../config.ts";

export interface MetricsDeps {
  readonly listen: ListenAddress;
  /** Prometheus text. */
  readonly metrics: () => string;
  /** Why proxies can't be served yet; undefined when they can. */
  readonly unready: () => string | undefined;
}

/** /metrics, /healthz (the process answers) and /readyz (proxies are served), in plain HTTP: bind it to a private address. */
export class MetricsServer implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;

  private constructor(server: Server) {
    const { address, family, port } = server.address() as AddressInfo;
    this.address = family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
    this.#server = server;
  }

  static async listen({ listen, metrics, unready }: MetricsDeps): Promise<MetricsServer> {
    const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
      const answer = (code: number, body: string, type = "text/plain; charset=utf-8") =>
        response.writeHead(code, { "content-type": type }).end(body);
      const path = request.url?.split("?")[0];
      if (path === "/metrics") answer(200, metrics(), "text/plain; version=0.0.4; charset=utf-8");
      else if (path === "/healthz") answer(200, "ok\n");
      else if (path === "/readyz") {
        const why = unready();
        answer(why === undefined ? 200 : 503, `${why ?? "ok"}\n`);
      } else answer(404, "try /metrics, /healthz or /readyz\n");
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(listen.port, listen.host, resolve);
    });
    return new MetricsServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }
}
