// A real Envoy that takes everything from a plaintext ADS server on loopback, and the admin interface to look at it.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { envoyPath } from "../../scripts/envoy-path.js";
import { until } from "./until.ts";

export class AdsEnvoy implements AsyncDisposable {
  readonly #dir: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(dir: string, child: ChildProcess) {
    this.#dir = dir;
    this.#process = child;
    this.#exited = new Promise((done) => child.once("exit", done));
  }

  /** Resolves when the admin interface answers. `peer` is sent as the metadata that names the peer. */
  static async start(nodeId: string, adsPort: number): Promise<AdsEnvoy> {
    const dir = mkdtempSync(join(tmpdir(), "hedgerow-ads-"));
    const ads = { ads: {}, resource_api_version: "V3" };
    const h2 = {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: { http2_protocol_options: {} },
    };
    const address = { socket_address: { address: "127.0.0.1", port_value: adsPort } };
    const bootstrap = {
      node: { id: nodeId, cluster: "test" },
      admin: { address: { pipe: { path: join(dir, "admin.sock") } } },
      dynamic_resources: {
        ads_config: {
          api_type: "DELTA_GRPC",
          transport_api_version: "V3",
          set_node_on_first_message_only: true,
          grpc_services: [{ envoy_grpc: { cluster_name: "ads" }, initial_metadata: [{ key: "peer", value: nodeId }] }],
        },
        lds_config: ads,
        cds_config: ads,
      },
      static_resources: {
        clusters: [
          {
            name: "ads",
            typed_extension_protocol_options: { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": h2 },
            load_assignment: { cluster_name: "ads", endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
          },
        ],
      },
    };
    writeFileSync(join(dir, "bootstrap.json"), JSON.stringify(bootstrap));
    const log = openSync(join(dir, "log"), "w");
    const options = ["--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
    const child = spawn(envoyPath(), ["-c", join(dir, "bootstrap.json"), ...options], {
      cwd: dir,
      stdio: ["ignore", log, log],
    });
    const envoy = new AdsEnvoy(dir, child);
    await until("Envoy's admin interface", () => envoy.admin("/ready").catch(() => undefined));
    return envoy;
  }

  admin(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      request({ socketPath: join(this.#dir, "admin.sock"), path }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () => resolve(body));
      })
        .on("error", reject)
        .end();
    });
  }

  /** Values of the statistics whose names match. */
  async stats(filter: string): Promise<ReadonlyMap<string, number>> {
    const text = await this.admin(`/stats?filter=${encodeURIComponent(filter)}`);
    return new Map(
      text
        .trim()
        .split("\n")
        .map((line) => line.split(": "))
        .map(([name = "", value]) => [name, Number(value)]),
    );
  }

  log(): string {
    return readFileSync(join(this.#dir, "log"), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
