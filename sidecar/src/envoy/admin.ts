import { request } from "node:http";
import { SidecarError } from "../errors.ts";

const TIMEOUT_MS = 2_000;
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;
/** Statistic of the listener `inbound-capture`, whose address is fixed. */
const CAPTURED_CONNECTIONS = "^listener\\.0\\.0\\.0\\.0_15006\\.downstream_cx_total$";

/** Envoy's admin interface over its Unix socket. Every call is bounded in time and bytes. */
export class EnvoyAdmin {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** True when Envoy is initialised and serving (/ready answers 200 LIVE). Errors: envoy_admin_failed. */
  async isLive(): Promise<boolean> {
    const { statusCode, body } = await this.#call("GET", "/ready");
    return statusCode === 200 && body.trim() === "LIVE";
  }

  /** Names of the listeners that are active: /listeners leaves out those that warm or drain. */
  async activeListeners(): Promise<ReadonlySet<string>> {
    const { body } = await this.#call("GET", "/listeners?format=json");
    return parseListenerNames(body);
  }

  /** Downstream connections of every listener but the admin's own. */
  async activeConnections(): Promise<number> {
    const { body } = await this.#call("GET", "/stats?filter=downstream_cx_active$");
    return sumActiveConnections(body);
  }

  /** Connections that were ever led to the listener of a pod's captured inbound traffic; 0 where nothing is captured. */
  async capturedConnections(): Promise<number> {
    const { body } = await this.#call("GET", `/stats?filter=${encodeURIComponent(CAPTURED_CONNECTIONS)}`);
    return Number(/: (\d+)\s*$/.exec(body)?.[1] ?? 0);
  }

  async prometheus(): Promise<string> {
    const { statusCode, body } = await this.#call("GET", "/stats/prometheus");
    if (statusCode !== 200)
      throw new SidecarError("envoy_admin_failed", `envoy /stats/prometheus answers ${statusCode}`);
    return body;
  }

  /** Closes the files that Envoy logs to, and opens them anew by their paths; soon after, not at once. */
  async reopenLogs(): Promise<void> {
    const { statusCode } = await this.#call("POST", "/reopen_logs");
    if (statusCode !== 200) throw new SidecarError("envoy_admin_failed", `envoy /reopen_logs answers ${statusCode}`);
  }

  /** Asks peers to leave: responses carry GOAWAY or `connection: close`, listeners still accept meanwhile. */
  async drainListeners(): Promise<void> {
    await this.#call("POST", "/drain_listeners?graceful");
  }

  /** Listeners accept no more; connections that are open live on. */
  async closeListeners(): Promise<void> {
    await this.#call("POST", "/drain_listeners");
  }

  async #call(method: "GET" | "POST", path: string): Promise<{ statusCode: number; body: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ statusCode: number; body: string }>();
    const call = request(
      {
        socketPath: this.#socketPath,
        method,
        path,
        host: "envoy",
        signal: AbortSignal.timeout(TIMEOUT_MS),
        agent: false,
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > MAX_ANSWER_BYTES) answer.destroy(new Error(`answer is over ${MAX_ANSWER_BYTES} bytes`));
          else chunks.push(chunk);
        });
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({ statusCode: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    call.on("error", reject);
    call.end();
    try {
      return await promise;
    } catch (error) {
      throw new SidecarError("envoy_admin_failed", `envoy ${method} ${path} failed`, error);
    }
  }
}

function parseListenerNames(body: string): ReadonlySet<string> {
  const names = new Set<string>();
  const page: unknown = JSON.parse(body);
  if (typeof page !== "object" || page === null || !("listener_statuses" in page)) return names;
  const statuses: unknown = page.listener_statuses;
  if (!Array.isArray(statuses)) return names;
  for (const status of statuses as unknown[]) {
    if (typeof status === "object" && status !== null && "name" in status && typeof status.name === "string") {
      names.add(status.name);
    }
  }
  return names;
}

function sumActiveConnections(stats: string): number {
  let sum = 0;
  for (const line of stats.split("\n")) {
    // Each listener also counts by worker; that would count twice.
    const match = /^listener\.(?!admin\.)(?!.*\.worker_\d+\.).*\.downstream_cx_active: (\d+)$/.exec(line);
    if (match) sum += Number(match[1]);
  }
  return sum;
}
