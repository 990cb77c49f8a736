import http from "node:http";
import type { AddressInfo } from "node:net";
import type { ListenAddress } from "../config.ts";
import type { HealthState } from "./health-state.ts";
import type { Metrics } from "./metrics.ts";

/** GET /metrics (Prometheus), /healthz (the process runs) and /readyz (inference requests are taken; else 503). */
export class MetricsServer implements AsyncDisposable {
  readonly #server: http.Server;

  constructor(metrics: Metrics, health: HealthState) {
    this.#server = http.createServer((request, response) => {
      const ready = health.serving;
      if (request.url === "/metrics")
        metrics.text().then(
          (text) => response.writeHead(200, { "content-type": metrics.contentType }).end(text),
          () => response.writeHead(500).end(),
        );
      else if (request.url === "/healthz") response.writeHead(200).end("ok\n");
      else if (request.url === "/readyz") response.writeHead(ready ? 200 : 503).end(ready ? "ok\n" : "not ready\n");
      else response.writeHead(404).end();
    });
  }

  /** Resolves to the address, HOST:PORT. */
  async listen({ host, port }: ListenAddress): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(port, host, resolve);
    await promise;
    this.#server.off("error", reject);
    const { address, family, port: taken } = this.#server.address() as AddressInfo;
    return family === "IPv6" ? `[${address}]:${taken}` : `${address}:${taken}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}
