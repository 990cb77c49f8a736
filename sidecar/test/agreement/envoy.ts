// A real Envoy between a caller and the predictor, and the agent's inspection server that it asks: as a sidecar has them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { envoyPath } from "../../../scripts/envoy-path.js";
import type { ReadResult } from "../../src/inspect/decode/read-result.ts";
import { readRequest } from "../../src/inspect/read-request.ts";
import { InspectServer } from "../../src/inspect/server.ts";
import { until } from "../until.ts";

const PORT = 8080;
/** Tells the requests of a test apart. */
export const INDEX_HEADER = "x-index";
const CUT_BYTES = 1;
/** gRPC over HTTP/1.1 is served, too, and says in its trailers how it ended. */
const TRAILERS = { enable_trailers: true };

export interface InspectingEnvoy extends AsyncDisposable {
  readonly address: string;
  /** What the agent read of the request with this index; undefined: Envoy never asked. */
  readonly readOf: (index: number) => ReadResult | undefined;
}

/** Everything is let through, so that the predictor says what it would have read. */
export async function inspectingEnvoy(predictorAddress: string, maxRequestBytes: number): Promise<InspectingEnvoy> {
  const directory = await mkdtemp(join(tmpdir(), "hedgerow-agreement-"));
  const inspectSocket = join(directory, "inspect.sock");
  const adminSocket = join(directory, "admin.sock");
  const reads = new Map<number, ReadResult>();
  const server = new InspectServer({
    socketPath: inspectSocket,
    maxBytes: 256 * 1024 * 1024,
    logger: pino({ level: "silent" }),
    answerer: {
      maxRequestBytes: () => maxRequestBytes,
      async answer(question) {
        reads.set(Number(question.headers[INDEX_HEADER]), await readRequest(question, { maxRequestBytes }));
        return { status: 200, headers: [], body: "" };
      },
    },
  });
  await server.start();
  const config = join(directory, "envoy.json");
  await writeFile(config, JSON.stringify(bootstrap(predictorAddress, inspectSocket, adminSocket, maxRequestBytes)));
  const child = spawn(envoyPath(), ["-c", config, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  let address: string | undefined;
  await until("Envoy listens", async () => {
    const text = await adminText(adminSocket, "/listeners").catch(() => "");
    address = /127\.0\.0\.1:[1-9]\d*/.exec(text)?.[0];
    return address !== undefined;
  });
  return {
    address: address ?? "",
    readOf: (index) => reads.get(index),
    async [Symbol.asyncDispose]() {
      child.kill();
      if (child.exitCode === null) await once(child, "exit");
      server.stop();
      await rm(directory, { recursive: true });
    },
  };
}

async function adminText(socketPath: string, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  http.get({ socketPath, path }, resolve).on("error", reject);
  return Buffer.concat((await (await promise).toArray()) as Buffer[]).toString();
}

function bootstrap(predictor: string, inspectSocket: string, adminSocket: string, maxRequestBytes: number) {
  const [host = "", port] = predictor.split(":");
  const endpoint = (address: object) => [{ lb_endpoints: [{ endpoint: { address } }] }];
  const cluster = (name: string, address: object, options: object = {}) => ({
    name,
    load_assignment: { cluster_name: name, endpoints: endpoint(address) },
    ...options,
  });
  const type = (name: string) => `type.googleapis.com/envoy.extensions.${name}`;
  const exact = (...names: string[]) => names.map((name) => ({ exact: name }));
  return {
    admin: { address: { pipe: { path: adminSocket } } },
    static_resources: {
      clusters: [
        cluster("inspect", { pipe: { path: inspectSocket } }),
        cluster(
          "predictor",
          { socket_address: { address: host, port_value: Number(port) } },
          {
            typed_extension_protocol_options: {
              "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": type("upstreams.http.v3.HttpProtocolOptions"),
                use_downstream_protocol_config: { http_protocol_options: TRAILERS, http2_protocol_options: {} },
              },
            },
          },
        ),
      ],
      listeners: [
        {
          name: "inbound",
          address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
          filter_chains: [
            {
              filters: [
                {
                  name: "http",
                  typed_config: {
                    "@type": type("filters.network.http_connection_manager.v3.HttpConnectionManager"),
                    stat_prefix: "inbound",
                    http_protocol_options: TRAILERS,
                    max_request_headers_kb: 60,
                    normalize_path: true,
                    merge_slashes: true,
                    path_with_escaped_slashes_action: "REJECT_REQUEST",
                    route_config: {
                      virtual_hosts: [
                        {
                          name: "all",
                          domains: ["*"],
                          routes: [{ match: { prefix: "/" }, route: { cluster: "predictor", timeout: "0s" } }],
                        },
                      ],
                    },
                    http_filters: [
                      {
                        name: "inspect",
                        typed_config: {
                          "@type": type("filters.http.ext_authz.v3.ExtAuthz"),
                          http_service: {
                            server_uri: { uri: "http://inspect", cluster: "inspect", timeout: "10s" },
                            path_prefix: `/${PORT}`,
                          },
                          with_request_body: { max_request_bytes: maxRequestBytes + CUT_BYTES },
                          allowed_headers: {
                            patterns: [
                              ...exact("content-type", "content-encoding", "grpc-encoding", "te", INDEX_HEADER),
                              ...exact("inference-header-content-length"),
                              { prefix: "connect-" },
                            ],
                          },
                          status_on_error: { code: 503 },
                        },
                      },
                      { name: "router", typed_config: { "@type": type("filters.http.router.v3.Router") } },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  };
}
