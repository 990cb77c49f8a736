// A real Envoy that reads a proxy's snapshot from files: what it refuses shows as in production, with no server involved.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { envoyPath } from "../../scripts/envoy-path.js";
import type { ProxySnapshot } from "../src/snapshot/snapshot.ts";
import { pathSource, writeSecrets, writeSnapshot } from "./file-xds.ts";
import type { Identity } from "./identity.ts";
import { until } from "./until.ts";

export class TestEnvoy implements AsyncDisposable {
  readonly #dir: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(dir: string, process: ChildProcess) {
    this.#dir = dir;
    this.#process = process;
    this.#exited = new Promise((done) => process.once("exit", done));
  }

  /** Resolves when Envoy is live; what it refused is to be asked for. */
  static async start(proxy: ProxySnapshot, identity: Identity): Promise<TestEnvoy> {
    const dir = mkdtempSync(join(tmpdir(), "hedgerow-envoy-"));
    writeSecrets(dir, identity);
    writeSnapshot(dir, proxy);
    const bootstrap = {
      node: { id: proxy.nodeId, cluster: proxy.nodeId },
      admin: { address: { pipe: { path: join(dir, "admin.sock") } } },
      dynamic_resources: {
        lds_config: pathSource(dir, "listeners.json"),
        cds_config: pathSource(dir, "clusters.json"),
      },
    };
    writeFileSync(join(dir, "bootstrap.json"), JSON.stringify(bootstrap));
    const out = openSync(join(dir, "stdout"), "w");
    const err = openSync(join(dir, "stderr"), "w");
    const options = [
      "--concurrency",
      "1",
      "--disable-hot-restart",
      "--file-flush-interval-msec",
      "20",
      "-l",
      "warning",
    ];
    const child = spawn(envoyPath(), ["-c", join(dir, "bootstrap.json"), ...options], { stdio: ["ignore", out, err] });
    const envoy = new TestEnvoy(dir, child);
    try {
      await until("Envoy to be live", async () => ((await envoy.admin("/ready")) === "LIVE\n" ? true : undefined));
    } catch (error) {
      const log = envoy.log();
      await envoy[Symbol.asyncDispose]();
      throw new Error(`Envoy did not become live: ${log}`, { cause: error });
    }
    return envoy;
  }

  /** Replaces what it reads; Envoy notices by itself. */
  update(proxy: ProxySnapshot): void {
    writeSnapshot(this.#dir, proxy);
  }

  admin(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      request({ socketPath: join(this.#dir, "admin.sock"), path }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => resolve(Buffer.concat(parts).toString()));
      })
        .on("error", reject)
        .end();
    });
  }

  /** Sum of all statistics whose name ends so. */
  async stat(ending: string): Promise<number> {
    const { stats }: { stats: { name?: string; value?: number }[] } = JSON.parse(
      await this.admin("/stats?format=json"),
    );
    return stats.reduce((sum, { name, value }) => (name?.endsWith(ending) ? sum + (value ?? 0) : sum), 0);
  }

  /** Warnings and errors. */
  log(): string {
    return readFileSync(join(this.#dir, "stderr"), "utf8");
  }

  /** Lines of the access log that are written by now: about 20 ms behind. */
  accessLog(): readonly Readonly<Record<string, unknown>>[] {
    const lines = readFileSync(join(this.#dir, "stdout"), "utf8").split("\n");
    return lines.slice(0, -1).map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
    rmSync(this.#dir, { recursive: true });
  }
}
