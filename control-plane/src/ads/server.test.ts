import { createServer, type Server as NetServer, connect as netConnect, type Socket } from "node:net";
import { credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from "@grpc/grpc-js";
import {
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  grpcClient,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "@hedgerow/proto";
import { AggregatedDiscoveryService } from "@hedgerow/proto/envoy/service/discovery/v3/ads";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AdsClient } from "../../test/ads-client.ts";
import { assignment, cluster, listener, proxySnapshot, routes } from "../../test/xds-resources.ts";
import { createLogger } from "../logger.ts";
import type { ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { AdsServer, adsServerOptions } from "./server.ts";

const NODE = "default/caller-1";
const snapshots = (nodeId: string, ...resources: readonly Resource[]): Map<string, ProxySnapshot> =>
  new Map([[nodeId, proxySnapshot(nodeId, resources)]]);

let ads: AdsServer;
let server: Server;
let address: string;
let nowMs: number;
let notAfterMs: number;
let lines: string[];
let counted: string[];
const clients: AdsClient[] = [];

beforeEach(async () => {
  nowMs = 1_000_000;
  notAfterMs = Number.POSITIVE_INFINITY;
  lines = [];
  counted = [];
  ads = new AdsServer({
    // The certificate's part is ca's; here the peer says who it is.
    identify: ({ metadata }) => {
      const [peer] = metadata.get("peer");
      return typeof peer === "string" ? { nodeId: peer, spiffeId: `spiffe://test/${peer}`, notAfterMs } : undefined;
    },
    now: () => nowMs,
    counted: (typeUrl, event) => void counted.push(`${event} ${typeUrl.replace(/^.*\./, "")}`),
    logger: createLogger("debug", { write: (line: string) => void lines.push(line) }),
  });
  server = new Server(adsServerOptions);
  server.addService(...ads.service);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  address = `127.0.0.1:${port}`;
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await ads[Symbol.asyncDispose]();
  server.forceShutdown();
});

function connect(peer = NODE, nodeId = peer): AdsClient {
  const client = new AdsClient(address, peer, nodeId);
  clients.push(client);
  return client;
}

const stateOf = (nodeId: string) => ads.states().find((state) => state.nodeId === nodeId);

describe("ADS over a socket", () => {
  test("a whole proxy: order on the wire, ACK, an edit, removals last", async () => {
    ads.publish(snapshots(NODE, cluster("a"), assignment("a", 1), listener("l", 1, "r"), routes("r", { a: 1 })));
    const client = connect();
    client.subscribe({ typeUrl: CLUSTER_TYPE_URL });
    const first = await client.take();
    expect(first).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, names: ["a"], removed: [] });
    expect(first.message.resources[0]).toMatchObject({
      version: cluster("a").version,
      resource: { typeUrl: CLUSTER_TYPE_URL },
    });
    expect(first.message.systemVersionInfo).toBe("1");
    client.subscribe({ typeUrl: ENDPOINT_TYPE_URL, subscribe: ["a"] });
    expect(await client.take()).toMatchObject({ typeUrl: ENDPOINT_TYPE_URL, names: ["a"] });
    client.subscribe({ typeUrl: LISTENER_TYPE_URL });
    expect(await client.take()).toMatchObject({ typeUrl: LISTENER_TYPE_URL, names: ["l"] });
    client.subscribe({ typeUrl: ROUTE_TYPE_URL, subscribe: ["r"] });
    expect(await client.take()).toMatchObject({ typeUrl: ROUTE_TYPE_URL, names: ["r"] });

    ads.publish(snapshots(NODE, cluster("b"), assignment("b", 1), listener("l", 1, "r"), routes("r", { b: 1 })));
    const added = await client.next();
    expect(added).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, names: ["b"], removed: [] });
    client.subscribe({ typeUrl: ENDPOINT_TYPE_URL, subscribe: ["b"] });
    expect(await client.take()).toMatchObject({ typeUrl: ENDPOINT_TYPE_URL, names: ["b"] });
    client.ack(added);
    expect(await client.take()).toMatchObject({ typeUrl: ROUTE_TYPE_URL, names: ["r"] });
    expect(await client.take()).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, names: [], removed: ["a"] });
    expect(await client.take()).toMatchObject({ typeUrl: ENDPOINT_TYPE_URL, names: [], removed: ["a"] });
    await vi.waitFor(() => expect(stateOf(NODE)?.types.get(ENDPOINT_TYPE_URL)?.acknowledged.size).toBe(1));
    expect(stateOf(NODE)).toMatchObject({ connected: true, connectedAtMs: nowMs, spiffeId: `spiffe://test/${NODE}` });
  });

  test("a NACK is kept with its words, cut at 1 KiB, and not answered with the same again", async () => {
    ads.publish(snapshots(NODE, cluster("a")));
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    client.nack(await client.next(), `no ${"é".repeat(1000)}`);
    await vi.waitFor(() => expect(stateOf(NODE)?.types.get(CLUSTER_TYPE_URL)?.rejected).toBeDefined());
    const rejected = stateOf(NODE)?.types.get(CLUSTER_TYPE_URL)?.rejected;
    expect(rejected?.message).toMatch(/^no é+$/);
    expect(Buffer.byteLength(rejected?.message ?? "")).toBe(1023);
    ads.publish(snapshots(NODE, cluster("a"), listener("l", 1, "r")));
    client.subscribe({ typeUrl: LISTENER_TYPE_URL });
    expect(await client.take()).toMatchObject({ typeUrl: LISTENER_TYPE_URL });
    expect(client.pending).toBe(0);
    await vi.waitFor(() =>
      expect(counted).toEqual(["pushed Cluster", "rejected Cluster", "pushed Listener", "acknowledged Listener"]),
    );
  });

  test("a stream ends with the certificate that it began with", async () => {
    notAfterMs = nowMs + 50;
    ads.publish(snapshots(NODE, cluster("a")));
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    await client.take();
    nowMs = notAfterMs;
    expect(await client.ended).toMatchObject({ code: status.UNAUTHENTICATED });
    expect(stateOf(NODE)?.connected).toBe(false);
  });

  test("a stale nonce is ignored; snapshots during a push merge into one", async () => {
    ads.publish(snapshots(NODE, cluster("a", 1)));
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    const first = await client.take();
    ads.publish(snapshots(NODE, cluster("a", 2)));
    const second = await client.next();
    client.ack(first);
    for (const ms of [3, 4, 5]) ads.publish(snapshots(NODE, cluster("a", ms)));
    // A response of another type proves that the stale ACK has been read.
    client.subscribe({ typeUrl: LISTENER_TYPE_URL });
    expect(await client.take()).toMatchObject({ typeUrl: LISTENER_TYPE_URL });
    expect(client.pending).toBe(0);
    client.ack(second);
    const third = await client.take();
    expect(third.message.resources[0]?.version).toBe(cluster("a", 5).version);
    client.subscribe({ typeUrl: WORKLOAD_CONFIG_TYPE_URL, subscribe: ["z"] });
    expect(await client.take()).toMatchObject({ typeUrl: WORKLOAD_CONFIG_TYPE_URL, removed: ["z"] });
    expect(client.pending).toBe(0);
  });

  test("a client that reconnects with its versions gets what changed and hears what is gone", async () => {
    const versions = { a: cluster("a").version, b: "old", gone: "1" };
    ads.publish(snapshots(NODE, cluster("a"), cluster("b")));
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL, versions });
    expect(await client.take()).toMatchObject({ names: ["b"], removed: [] });
    client.subscribe({ typeUrl: LISTENER_TYPE_URL });
    expect(await client.take()).toMatchObject({ typeUrl: CLUSTER_TYPE_URL, removed: ["gone"] });
  });

  test("a node without a snapshot waits, and one that a later snapshot leaves out keeps what it has", async () => {
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    await vi.waitFor(() => expect(stateOf(NODE)).toBeDefined());
    ads.publish(snapshots("default/other", cluster("x")));
    ads.publish(snapshots(NODE, cluster("a")));
    expect(await client.take()).toMatchObject({ names: ["a"] });
    ads.publish(new Map());
    ads.publish(snapshots(NODE, cluster("a"), cluster("b")));
    expect(await client.take()).toMatchObject({ names: ["b"], removed: [] });
  });
});

describe("who may", () => {
  test("a node id of another is refused; only the log names both", async () => {
    ads.publish(snapshots("default/victim", cluster("secret")));
    const client = connect(NODE, "default/victim").subscribe({ typeUrl: CLUSTER_TYPE_URL });
    const { code, details } = await client.ended;
    expect(code).toBe(status.PERMISSION_DENIED);
    expect(details).not.toMatch(/victim|caller-1/);
    expect(lines.join("")).toMatch(/default\/caller-1.*default\/victim/);
    expect(client.pending).toBe(0);
    expect(ads.states()).toEqual([]);
  });

  test("a first request without a node is refused", async () => {
    const metadata = new Metadata();
    metadata.set("peer", NODE);
    const bare = grpcClient(AggregatedDiscoveryService, address, credentials.createInsecure());
    const call = bare.deltaAggregatedResources(metadata);
    const error = new Promise<ServiceError>((resolve) => call.on("error", resolve));
    call.write({ typeUrl: CLUSTER_TYPE_URL });
    expect((await error).code).toBe(status.INVALID_ARGUMENT);
    bare.close();
  });

  test("a peer without an identity is refused, state of the world is not served", async () => {
    const bare = grpcClient(AggregatedDiscoveryService, address, credentials.createInsecure());
    const delta = bare.deltaAggregatedResources();
    const refused = new Promise<ServiceError>((resolve) => delta.on("error", resolve));
    delta.write({ node: { id: NODE }, typeUrl: CLUSTER_TYPE_URL });
    expect((await refused).code).toBe(status.UNAUTHENTICATED);
    const sotw = bare.streamAggregatedResources();
    const unimplemented = new Promise<ServiceError>((resolve) => sotw.on("error", resolve));
    sotw.write({ node: { id: NODE }, typeUrl: CLUSTER_TYPE_URL });
    expect(await unimplemented).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringContaining("delta"),
    });
    bare.close();
  });

  test.each([
    [
      "too many names",
      { subscribe: Array.from({ length: 20_001 }, (_, index) => `n${index}`) },
      status.INVALID_ARGUMENT,
    ],
    ["too long a name", { subscribe: ["n".repeat(1025)] }, status.INVALID_ARGUMENT],
    [
      "too many bytes",
      { subscribe: Array.from({ length: 5 }, () => "n".repeat(1024 * 1024)) },
      status.RESOURCE_EXHAUSTED,
    ],
  ])("%s", async (_name, request, code) => {
    const client = connect().subscribe({ typeUrl: ENDPOINT_TYPE_URL, ...request });
    expect((await client.ended).code).toBe(code);
  });
});

describe("streams come and go", () => {
  test("the newer stream of a node takes over and the older one is closed", async () => {
    ads.publish(snapshots(NODE, cluster("a")));
    const older = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    await older.take();
    const newer = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    expect((await older.ended).code).toBe(status.ABORTED);
    await newer.take();
    await vi.waitFor(() => expect(stateOf(NODE)?.types.get(CLUSTER_TYPE_URL)?.acknowledged.size).toBe(1));
    expect(ads.states()).toHaveLength(1);
    expect(stateOf(NODE)?.connected).toBe(true);
  });

  test("a disconnected proxy is remembered for ten minutes", async () => {
    ads.publish(snapshots(NODE, cluster("a")));
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    await client.take();
    await vi.waitFor(() => expect(stateOf(NODE)?.types.get(CLUSTER_TYPE_URL)?.acknowledged.size).toBe(1));
    client.close();
    await vi.waitFor(() => expect(stateOf(NODE)).toMatchObject({ connected: false }));
    expect(stateOf(NODE)?.types.get(CLUSTER_TYPE_URL)?.acknowledged.size).toBe(1);
    nowMs += 10 * 60_000 - 1;
    expect(ads.states()).toHaveLength(1);
    nowMs += 1;
    expect(ads.states()).toEqual([]);
  });

  test("changes close together are told once", async () => {
    const told: number[] = [];
    ads.publish(snapshots(NODE, cluster("a"), listener("l", 1, "r")));
    const stop = ads.onChange(() => told.push(1));
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL }).subscribe({ typeUrl: LISTENER_TYPE_URL });
    await client.take();
    await client.take();
    await vi.waitFor(() => expect(stateOf(NODE)?.types.get(LISTENER_TYPE_URL)?.acknowledged.size).toBe(1));
    await vi.waitFor(() => expect(told.length).toBeGreaterThan(0));
    // Three changes: a connect and two ACKs.
    expect(told.length).toBeLessThan(3);
    stop();
  });

  test("a peer that says nothing is let go after 10 s", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const client = connect();
      await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThan(0));
      const code = client.ended.then((end) => end.code);
      await vi.advanceTimersByTimeAsync(9_999);
      expect(await Promise.race([code, Promise.resolve("open")])).toBe("open");
      await vi.waitFor(async () => {
        await vi.advanceTimersByTimeAsync(1000);
        expect(await Promise.race([code, Promise.resolve("open")])).toBe(status.DEADLINE_EXCEEDED);
      });
    } finally {
      vi.useRealTimers();
    }
  });

  test("closing ends every stream with UNAVAILABLE and takes no more", async () => {
    const client = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    await vi.waitFor(() => expect(stateOf(NODE)).toBeDefined());
    ads.close();
    expect((await client.ended).code).toBe(status.UNAVAILABLE);
    const late = connect().subscribe({ typeUrl: CLUSTER_TYPE_URL });
    expect((await late.ended).code).toBe(status.UNAVAILABLE);
  });
});

describe("many proxies", () => {
  const acknowledged = (count: number) => () =>
    expect(ads.states().filter(({ types }) => types.get(CLUSTER_TYPE_URL)?.acknowledged.size === 40)).toHaveLength(
      count,
    );

  test("300 are served an edit without a stall of the event loop", async () => {
    const nodes = Array.from({ length: 300 }, (_, index) => `default/n${index}`);
    const mesh = (ms: number) => {
      // Equal resources are shared, as translation shares them.
      const shared = Array.from({ length: 40 }, (_, index) => cluster(`c${index}`, ms));
      return new Map(nodes.map((nodeId) => [nodeId, proxySnapshot(nodeId, shared)]));
    };
    ads.publish(mesh(1));
    const all = nodes.map((nodeId) => connect(nodeId).subscribe({ typeUrl: CLUSTER_TYPE_URL }));
    await Promise.all(all.map((client) => client.take()));
    await vi.waitFor(acknowledged(300), 10_000);

    const next = mesh(2);
    const began = performance.now();
    ads.publish(next);
    const publishMs = performance.now() - began;
    await Promise.all(all.map((client) => client.take()));
    expect(publishMs).toBeLessThan(50);
  });

  test("proxies that do not read hold up nobody, though they are more than may write at once", async () => {
    const stuckNodes = Array.from({ length: 40 }, (_, index) => `default/stuck${index}`);
    const big: Resource = { ...cluster("big"), encoded: new Uint8Array(2 * 1024 * 1024) };
    ads.publish(
      new Map([
        ...stuckNodes.map((nodeId) => [nodeId, proxySnapshot(nodeId, [big])] as const),
        [NODE, proxySnapshot(NODE, [cluster("a")])],
      ]),
    );
    await using wall = await Wall.listen(Number(address.split(":")[1]));
    for (const nodeId of stuckNodes) {
      const client = new AdsClient(`127.0.0.1:${wall.port}`, nodeId);
      clients.push(client.subscribe({ typeUrl: CLUSTER_TYPE_URL }));
    }
    await vi.waitFor(() => expect(ads.states()).toHaveLength(40), 10_000);
    const began = performance.now();
    expect(await connect().subscribe({ typeUrl: CLUSTER_TYPE_URL }).take()).toMatchObject({ names: ["a"] });
    expect(performance.now() - began).toBeLessThan(5000);
    // They are let go one day, and until then cost one response each.
    expect(clients.every((client) => client.pending === 0)).toBe(true);
  });
});

/** Passes on what clients say, and of the answers only the first bytes: a peer that has stopped reading. */
class Wall implements AsyncDisposable {
  readonly port: number;
  readonly #server: NetServer;
  readonly #sockets: Set<Socket>;

  private constructor(server: NetServer, port: number, sockets: Set<Socket>) {
    this.#server = server;
    this.port = port;
    this.#sockets = sockets;
  }

  static async listen(to: number): Promise<Wall> {
    const sockets = new Set<Socket>();
    const server = createServer((client) => {
      const up = netConnect(to, "127.0.0.1");
      sockets.add(client).add(up);
      client.pipe(up);
      let bytes = 0;
      up.on("data", (data) => {
        client.write(data);
        bytes += data.length;
        if (bytes > 1000) up.pause();
      });
      for (const socket of [client, up]) socket.on("error", () => undefined);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const bound = server.address();
    if (bound === null || typeof bound === "string") throw new Error("not listening on a port");
    return new Wall(server, bound.port, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}
