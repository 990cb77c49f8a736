import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Prober } from "../probes/prober.ts";
import type { Readiness } from "../ready/readiness.ts";
import { fetchAppPage } from "./app-page.ts";
import { mergePages } from "./merge.ts";

/** More than a page takes. Without a byte read or written for this long, twice at most, a connection ends. */
const IDLE_MS = 3_000;

/** The kubelet's name for itself, which applications may know; nothing longer or odder is passed on. */
const USER_AGENT = /^kube-(?:probe|lifecycle)\/[\w.+-]{1,40}$/;

/**
 * HTTP for scrapers and probes: /metrics (agent, Envoy and application in one page), /startupz (the proxy has been warm
 * once), /readyz (the workload takes traffic), /healthz (the agent lives), and the application's own probes below /app-health/.
 */
export class MetricsServer {
  readonly #listen: { readonly host: string; readonly port: number };
  readonly #agentPage: () => string;
  readonly #envoyPage: () => Promise<string>;
  readonly #appUrl: string | undefined;
  readonly #readiness: () => Readiness;
  readonly #started: () => boolean;
  readonly #prober: Prober;
  readonly #logger: Logger;
  readonly #server: Server;
  /** The page that is being put together: however many ask meanwhile get the same one. */
  #page: Promise<Buffer> | undefined;

  constructor(options: {
    readonly listen: { readonly host: string; readonly port: number };
    readonly agentPage: () => string;
    /** Rejects when Envoy does not answer. */
    readonly envoyPage: () => Promise<string>;
    readonly appUrl: string | undefined;
    readonly readiness: () => Readiness;
    readonly started: () => boolean;
    readonly prober: Prober;
    readonly logger: Logger;
  }) {
    this.#listen = options.listen;
    this.#agentPage = options.agentPage;
    this.#envoyPage = options.envoyPage;
    this.#appUrl = options.appUrl;
    this.#readiness = options.readiness;
    this.#started = options.started;
    this.#prober = options.prober;
    this.#logger = options.logger;
    this.#server = createServer({ requestTimeout: 5_000 }, (request, response) => {
      this.#route(request, response).catch((error: unknown) => {
        this.#logger.error({ error: messageOf(error) }, "Metrics request failed");
        response.destroy();
      });
    });
    this.#server.setTimeout(IDLE_MS);
  }

  /** Listens and returns the address, host:port. */
  async start(): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    this.#server.once("error", reject);
    this.#server.listen(this.#listen.port, this.#listen.host, () => resolve(undefined));
    await promise;
    const { address, family, port } = this.#server.address() as AddressInfo;
    return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ""] = (request.url ?? "").split("?", 1);
    if (path === "/metrics") {
      answer(response, 200, await this.#currentPage(), "text/plain; version=0.0.4; charset=utf-8");
    } else if (path === "/readyz") {
      const { ready, reason } = this.#readiness();
      answer(response, ready ? 200 : 503, ready ? "ready\n" : `not ready: ${reason}\n`);
    } else if (path === "/startupz") {
      const started = this.#started();
      answer(response, started ? 200 : 503, started ? "started\n" : `not started: ${this.#readiness().reason}\n`);
    } else if (path === "/healthz") {
      answer(response, 200, "ok\n");
    } else {
      await this.#answerProbe(path, request, response);
    }
  }

  async #answerProbe(path: string, { headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const timeoutMs = this.#prober.timeoutMs(path);
    if (timeoutMs === undefined) {
      answer(response, 404, "not found: try /metrics, /readyz, /startupz or /healthz\n");
      return;
    }
    response.setTimeout(timeoutMs + IDLE_MS);
    const asked = headers["user-agent"] ?? "";
    const told = await this.#prober.ask(path, USER_AGENT.test(asked) ? asked : "kube-probe");
    if (told?.kind === "status") answer(response, told.statusCode, `${told.words}\n`);
    else response.destroy();
  }

  async #currentPage(): Promise<Buffer> {
    this.#page ??= this.#compose();
    try {
      return await this.#page;
    } finally {
      this.#page = undefined;
    }
  }

  async #compose(): Promise<Buffer> {
    const [envoy, app] = await Promise.all([
      this.#optional("envoy", this.#envoyPage),
      this.#optional("application", async () => (this.#appUrl === undefined ? "" : await fetchAppPage(this.#appUrl))),
    ]);
    const { text, dropped } = mergePages([this.#agentPage(), envoy, app]);
    if (dropped.length > 0) this.#logger.debug({ families: dropped }, "Dropped metric families of the same name");
    return Buffer.from(text);
  }

  /** A source that does not answer leaves the others' metrics. */
  async #optional(source: string, page: () => Promise<string>): Promise<string> {
    try {
      return await page();
    } catch (error) {
      this.#logger.debug({ source, error: messageOf(error) }, "Source of metrics does not answer");
      return "";
    }
  }
}

function answer(response: ServerResponse, statusCode: number, body: string | Buffer, contentType = "text/plain"): void {
  response.writeHead(statusCode, { "content-type": contentType }).end(body);
}
