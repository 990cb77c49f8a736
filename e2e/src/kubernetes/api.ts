import { execFileSync } from "node:child_process";
import { Agent, request } from "node:https";

interface KubeconfigJson {
  readonly clusters: readonly {
    readonly cluster: { readonly server: string; readonly "certificate-authority-data": string };
  }[];
  readonly users: readonly {
    readonly user: { readonly "client-certificate-data": string; readonly "client-key-data": string };
  }[];
}

const decoded = (base64: string): Buffer => Buffer.from(base64, "base64");

/** An API server as its administrator, for what kubectl is too slow for: thousands of objects, and times in milliseconds. */
export class Api implements Disposable {
  readonly #server: string;
  readonly #agent: Agent;

  /** `kubeconfig` names a client certificate, as this project's test clusters have it. */
  constructor(kubeconfig: string, connections: number = 16) {
    const text = execFileSync("kubectl", [
      "--kubeconfig",
      kubeconfig,
      "config",
      "view",
      "--raw",
      "--flatten",
      "-o",
      "json",
    ]);
    const { clusters, users } = JSON.parse(text.toString()) as KubeconfigJson;
    const [cluster, user] = [clusters[0]?.cluster, users[0]?.user];
    if (cluster === undefined || user === undefined) throw new Error(`${kubeconfig} names no cluster and user`);
    this.#server = cluster.server;
    this.#agent = new Agent({
      keepAlive: true,
      maxSockets: connections,
      ca: decoded(cluster["certificate-authority-data"]),
      cert: decoded(user["client-certificate-data"]),
      key: decoded(user["client-key-data"]),
    });
  }

  /** Rejects unless the answer is 2xx. */
  async call(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const sent = request(
      `${this.#server}${path}`,
      { method, agent: this.#agent, headers: { "content-type": type } },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.once("error", reject);
        answer.once("end", () => {
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0 } = answer;
          if (statusCode >= 200 && statusCode < 300) resolve(text.startsWith("{") ? JSON.parse(text) : text);
          else reject(new Error(`${method} ${path}: ${statusCode} ${text.slice(0, 500)}`));
        });
      },
    );
    sent.once("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    return await promise;
  }

  /** As many calls at a time as there are connections. */
  async all<T>(items: readonly T[], call: (item: T) => Promise<unknown>): Promise<void> {
    const waiting = items.values();
    const work = async (): Promise<void> => {
      for (const item of waiting) await call(item);
    };
    await Promise.all(Array.from({ length: this.#agent.maxSockets }, work));
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
