// A real Envoy that reads a proxy's snapshot from files: what it refuses shows as in production, with no server involved.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { isMessage } from "@bufbuild/protobuf";
import { INSPECT_CLUSTER, OUTCOME_LOG, OUTPUT_CLUSTER } from "@hedgerow/proto";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import type { LbEndpoint } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint_components";
import { envoyPath } from "../../scripts/envoy-path.js";
import { decodeResource } from "../src/snapshot/decode.ts";
import type { ProxySnapshot } from "../src/snapshot/snapshot.ts";
import { pathSource, resourcesOf, versionOf, writeSecrets, writeSnapshot } from "./file-xds.ts";
import type { Identity } from "./identity.ts";
import { until } from "./until.ts";

const INSPECT_SOCKET = "inspect.sock";
const OUTPUT_SOCKET = "output.sock";
const OUTPUT_HTTP = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: {
        http2_protocol_options: {
          initial_stream_window_size: 262_144,
          initial_connection_window_size: 1_048_576,
          connection_keepalive: { interval: "1s", timeout: "1s" },
        },
      },
    },
  },
};

interface ConfigDump {
  readonly version_info?: string;
  readonly "@type": string;
  readonly dynamic_route_configs?: readonly {
    readonly version_info: string;
    readonly route_config: { readonly name: string };
  }[];
}

interface ClusterStatus {
  readonly name: string;
  readonly host_statuses?: readonly {
    readonly address: { readonly socket_address: { readonly port_value: number } };
  }[];
}

export class TestEnvoy implements AsyncDisposable {
  readonly #dir: string;
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(dir: string, process: ChildProcess) {
    this.#dir = dir;
    this.#process = process;
    this.#exited = new Promise((done) => process.once("exit", done));
  }

  /** Resolves when Envoy is live; what it refused is to be asked for. `within`: a command that runs another, as somebody, somewhere. */
  static async start(proxy: ProxySnapshot, identity: Identity, within: readonly string[] = []): Promise<TestEnvoy> {
    const dir = mkdtempSync(join(tmpdir(), "hedgerow-envoy-"));
    if (within.length > 0) chmodSync(dir, 0o777);
    writeSecrets(dir, identity);
    writeSnapshot(dir, proxy);
    const bootstrap = {
      node: { id: proxy.nodeId, cluster: proxy.nodeId },
      admin: { address: { pipe: { path: join(dir, "admin.sock") } } },
      dynamic_resources: {
        lds_config: pathSource(dir, "listeners.json"),
        cds_config: pathSource(dir, "clusters.json"),
      },
      // As the agent's bootstrap has it.
      static_resources: {
        clusters: [
          agentCluster(INSPECT_CLUSTER, join(dir, INSPECT_SOCKET)),
          { ...agentCluster(OUTPUT_CLUSTER, join(dir, OUTPUT_SOCKET)), ...OUTPUT_HTTP },
        ],
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
    const [command = "", ...args] = [...within, envoyPath(), "-c", join(dir, "bootstrap.json"), ...options];
    // Where it writes what the agent would read.
    const child = spawn(command, args, { cwd: dir, stdio: ["ignore", out, err] });
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

  /** Replaces what it reads. Resolves when Envoy runs all of it; throws when it refuses any. */
  async update(proxy: ProxySnapshot): Promise<void> {
    const refused = await this.stat("update_rejected");
    writeSnapshot(this.#dir, proxy);
    const wanted = wantedOf(proxy);
    await until("Envoy to run it", async () => {
      if ((await this.stat("update_rejected")) > refused) throw new Error(`Envoy refused: ${this.log()}`);
      const running = { versions: await this.#versions(proxy), hosts: await this.#hosts() };
      if (isDeepStrictEqual(running, wanted)) return true;
      throw new Error(`runs ${JSON.stringify(running)}, wanted ${JSON.stringify(wanted)}`);
    });
  }

  async #versions(proxy: ProxySnapshot): Promise<readonly unknown[]> {
    const { configs }: { configs: ConfigDump[] } = JSON.parse(await this.admin("/config_dump"));
    const routes = configs.flatMap(({ dynamic_route_configs }) => dynamic_route_configs ?? []);
    return [
      configs.find((config) => config["@type"].endsWith("ClustersConfigDump"))?.version_info ?? "",
      configs.find((config) => config["@type"].endsWith("ListenersConfigDump"))?.version_info ?? "",
      ...resourcesOf(proxy, "routes").map(
        ({ name }) => routes.find(({ route_config }) => route_config.name === name)?.version_info,
      ),
    ];
  }

  /** Ports of all endpoints by cluster, as text. */
  async #hosts(): Promise<string> {
    const { cluster_statuses = [] }: { cluster_statuses?: ClusterStatus[] } = JSON.parse(
      await this.admin("/clusters?format=json"),
    );
    const ports = cluster_statuses
      .filter(({ name }) => name.startsWith("outbound/") && !name.endsWith("/direct"))
      .map(({ name, host_statuses = [] }): [string, number[]] => [
        name,
        host_statuses.map((host) => host.address.socket_address.port_value),
      ]);
    return hostsText(ports);
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

  /** Where it has requests checked, once somebody listens there. */
  get inspectSocket(): string {
    return join(this.#dir, INSPECT_SOCKET);
  }

  /** Where it shows answers, once somebody listens there. */
  get outputSocket(): string {
    return join(this.#dir, OUTPUT_SOCKET);
  }

  /** Lines of the log that an agent reads, written by now. */
  outcomes(): readonly Readonly<Record<string, unknown>>[] {
    const path = join(this.#dir, OUTCOME_LOG);
    const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
    return lines.slice(0, -1).map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await this.#exited;
    rmSync(this.#dir, { recursive: true });
  }
}

function agentCluster(name: string, path: string) {
  return {
    name,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}

function wantedOf(proxy: ProxySnapshot) {
  const assignments = resourcesOf(proxy, "endpoints").map(decodeResource);
  const ports = assignments
    .filter((message) => isMessage(message, ClusterLoadAssignmentSchema))
    .map(({ clusterName, endpoints }): [string, number[]] => [
      clusterName,
      endpoints.flatMap(({ lbEndpoints }) => lbEndpoints.map(portOf)),
    ]);
  const versions = [
    versionOf(resourcesOf(proxy, "clusters")),
    versionOf(resourcesOf(proxy, "listeners")),
    ...resourcesOf(proxy, "routes").map((route) => versionOf([route])),
  ];
  return { versions, hosts: hostsText(ports) };
}

function portOf({ hostIdentifier }: LbEndpoint): number {
  const address = hostIdentifier.case === "endpoint" ? hostIdentifier.value.address?.address : undefined;
  const port = address?.case === "socketAddress" ? address.value.portSpecifier : undefined;
  return port?.case === "portValue" ? port.value : 0;
}

function hostsText(ports: readonly [cluster: string, ports: number[]][]): string {
  return ports
    .map(([name, of]) => `${name} ${of.toSorted((a, b) => a - b).join()}`)
    .toSorted()
    .join("; ");
}
