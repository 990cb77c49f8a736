// What a real Envoy makes of it: plaintext on loopback, two applications, requests all the time.
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AdsEnvoy } from "../../test/ads-envoy.ts";
import { EchoApp, freePorts } from "../../test/http.ts";
import { until } from "../../test/until.ts";
import { assignment, cluster, listener, proxySnapshot, routes } from "../../test/xds-resources.ts";
import { createLogger } from "../logger.ts";
import type { Resource } from "../snapshot/snapshot.ts";
import { AdsServer, adsServerOptions } from "./server.ts";

const NODE = "default/caller";

interface Sent {
  readonly type_url: string;
  readonly resources: number;
  readonly removed: number;
}

class Plane {
  readonly ads: AdsServer;
  readonly server = new Server(adsServerOptions);
  readonly lines: string[] = [];

  constructor() {
    this.ads = new AdsServer({
      identify: ({ metadata }) => {
        const [peer] = metadata.get("peer");
        return typeof peer === "string"
          ? { nodeId: peer, spiffeId: `spiffe://test/${peer}`, notAfterMs: Number.POSITIVE_INFINITY }
          : undefined;
      },
      counted: () => {},
      now: () => Date.now(),
      logger: createLogger("debug", { write: (line: string) => void this.lines.push(line) }),
    });
    this.server.addService(...this.ads.service);
  }

  listen(port: number): Promise<number> {
    return new Promise((resolve, reject) =>
      this.server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
  }

  publish(...resources: readonly Resource[]): void {
    this.ads.publish(new Map([[NODE, proxySnapshot(NODE, resources)]]));
  }

  /** Resolves when the proxy has acknowledged all of it. */
  async converged(...resources: readonly Resource[]): Promise<void> {
    await until("every ACK", () => {
      const [state] = this.ads.states();
      const isDone = resources.every(
        ({ typeUrl, name, version }) => state?.types.get(typeUrl)?.acknowledged.get(name) === version,
      );
      return isDone && state?.connected === true ? true : undefined;
    });
  }

  sent(): readonly Sent[] {
    return this.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "Response sent");
  }

  stop(): void {
    this.ads.close();
    this.server.forceShutdown();
  }
}

/** Requests one after the other until stopped; counts answers by application, and everything else. */
class Load {
  readonly answers = new Map<string, number>();
  readonly failures: string[] = [];
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(port: number) {
    this.#done = this.#run(`http://127.0.0.1:${port}/`);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(url: string): Promise<void> {
    while (!this.#isStopped) {
      try {
        const response = await fetch(url);
        const text = await response.text();
        if (response.ok) {
          const { app } = JSON.parse(text);
          this.answers.set(app, (this.answers.get(app) ?? 0) + 1);
        } else {
          this.failures.push(`${response.status} ${text}`);
        }
      } catch (error) {
        this.failures.push(String(error));
      }
    }
  }
}

let plane: Plane;
let envoy: AdsEnvoy;
let one: EchoApp;
let two: EchoApp;
let port: number;
let otherPort: number;
let adsPort: number;

beforeEach(async () => {
  plane = new Plane();
  adsPort = await plane.listen(0);
  one = await EchoApp.start("one");
  two = await EchoApp.start("two");
  [port = 0, otherPort = 0] = await freePorts(2);
  envoy = await AdsEnvoy.start(NODE, adsPort);
});

afterEach(async () => {
  await envoy[Symbol.asyncDispose]();
  plane.stop();
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
});

const outbound = (weights: Readonly<Record<string, number>>) => [listener("outbound", port, "r"), routes("r", weights)];
const backend = (name: string, app: EchoApp, connectTimeoutMs = 1000) => [
  cluster(name, connectTimeoutMs),
  assignment(name, app.port),
];

async function publishAndConverge(...resources: readonly Resource[]): Promise<number> {
  const began = performance.now();
  plane.publish(...resources);
  await plane.converged(...resources);
  return performance.now() - began;
}

const rejected = async () => [...(await envoy.stats("update_rejected")).values()].reduce((sum, each) => sum + each, 0);
const serving = () =>
  until("the listener", async () => ((await fetch(`http://127.0.0.1:${port}/`)).ok ? true : undefined));

describe("with a real Envoy", () => {
  test("twenty edits of weights, a new backend, a changed and a removed cluster: no request fails", async () => {
    const [a, b] = [backend("a", one), backend("b", two)];
    await publishAndConverge(...a, ...b, ...outbound({ a: 100 }));
    await serving();
    await using load = { run: new Load(port), [Symbol.asyncDispose]: () => load.run.stop() };

    for (let edit = 1; edit <= 20; edit += 1) {
      await publishAndConverge(...a, ...b, ...outbound({ a: 100 - edit, b: edit }));
    }
    // A changed cluster warms again, and Envoy does not ask again for its assignment.
    const rewarmMs = await publishAndConverge(...backend("a", one, 2000), ...b, ...outbound({ a: 50, b: 50 }));
    expect(rewarmMs).toBeLessThan(5000);
    // A route moves to a cluster that is new, away from one that goes.
    const c = backend("c", two);
    await publishAndConverge(...c, ...outbound({ c: 1 }));
    await until("the old clusters to go", async () =>
      (await envoy.stats("^cluster_manager.active_clusters$")).get("cluster_manager.active_clusters") === 2
        ? true
        : undefined,
    );
    // And one that has no endpoints yet still warms.
    await publishAndConverge(...c, cluster("d"), ...outbound({ c: 1 }));

    await load.run.stop();
    expect(load.run.failures).toEqual([]);
    expect(load.run.answers.get("one")).toBeGreaterThan(0);
    expect(load.run.answers.get("two")).toBeGreaterThan(0);
    expect(await rejected()).toBe(0);
  });

  test.each<[string, (taken: number) => Resource, RegExp]>([
    // Two listeners on one address.
    ["that it names", (taken) => listener("bad", taken, "r"), /^Error adding\/updating listener\(s\) bad: .*duplicate/],
    // A timeout that is not positive: Envoy does not say whose.
    ["without a name, after a retry one by one", () => cluster("bad", -1), /^Invalid duration/],
  ])("a NACK blames the resource %s; the rest of the response takes effect", async (_name, makeBad, words) => {
    const before = backend("a", one);
    await publishAndConverge(...before, ...outbound({ a: 1 }));
    const bad = makeBad(port);
    const others = [cluster("other"), listener("other", otherPort, "r")];
    const changed = [...backend("a", one, 3000), ...others];
    plane.publish(...changed, bad, ...outbound({ a: 1, bad: 1 }));
    await plane.converged(...changed);
    const rejection = () => plane.ads.states()[0]?.types.get(bad.typeUrl)?.rejected;
    await until("the NACK", rejection);
    expect([...(rejection()?.resources ?? [])]).toEqual([["bad", bad.version]]);
    expect(rejection()?.message).toMatch(words);
    await serving();
    await publishAndConverge(...changed, ...outbound({ a: 2 }));
    expect(rejection()).toBeUndefined();
  });

  test("an assignment that it refuses holds up nothing: not the cluster's ACK, not its removal", async () => {
    const a = backend("a", one);
    await publishAndConverge(...a, ...outbound({ a: 1 }));
    const bad = assignment("b", 1, undefined, "no address");
    plane.publish(...a, cluster("b"), bad, ...outbound({ a: 1, b: 1 }));
    await plane.converged(cluster("b"));
    const endpoints = () => plane.ads.states()[0]?.types.get(ENDPOINT_TYPE_URL);
    expect([...(endpoints()?.rejected?.resources ?? [])]).toEqual([["b", bad.version]]);
    // The route that Envoy has is better than one to a cluster without endpoints.
    expect(plane.sent().filter(({ type_url }) => type_url === ROUTE_TYPE_URL)).toHaveLength(1);
    await publishAndConverge(...a, ...outbound({ a: 2 }));
    await until("the removal", () =>
      plane.ads.states()[0]?.types.get(CLUSTER_TYPE_URL)?.acknowledged.has("b") === false ? true : undefined,
    );
    await publishAndConverge(...backend("a", one, 3000), ...outbound({ a: 3 }));
  });

  test("a route that it refuses from the start keeps it from nothing else; its listener answers 404 until then", async () => {
    const good = [...backend("a", one), ...outbound({ a: 1 })];
    const other = listener("other", otherPort, "bad");
    plane.publish(...good, other, routes("bad", {}));
    await plane.converged(...good, other);
    await serving();
    expect(await envoy.admin("/ready")).toBe("LIVE\n");
    expect((await fetch(`http://127.0.0.1:${otherPort}/`)).status).toBe(404);
    await publishAndConverge(...good, other, routes("bad", { a: 1 }));
    expect((await fetch(`http://127.0.0.1:${otherPort}/`)).status).toBe(200);
  });

  test("after a restart of the server nothing is sent that Envoy holds", async () => {
    const all = [...backend("a", one), ...backend("b", two), ...outbound({ a: 1, b: 1 })];
    await publishAndConverge(...all);
    plane.stop();
    plane = new Plane();
    await plane.listen(adsPort);
    await publishAndConverge(...all);
    expect(plane.sent()).toEqual([]);
    await publishAndConverge(...all.slice(0, 4), ...outbound({ a: 3, b: 1 }));
    expect(plane.sent()).toMatchObject([{ type_url: ROUTE_TYPE_URL, resources: 1, removed: 0 }]);
  });
});
