// What an application gets through its outbound listener: real Envoys on both sides, mTLS between them.
import { once } from "node:events";
import { Agent } from "node:http";
import { connect } from "node:http2";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ProxySnapshot } from "../src/snapshot/snapshot.ts";
import { testAuthority } from "./authority.ts";
import { TestEnvoy } from "./envoy.ts";
import { type Answer, type Call, call, EchoApp, freePorts } from "./http.ts";
import { identityOf } from "./identity.ts";
import { build, parse, TRUST_DOMAIN } from "./mesh.ts";
import { until } from "./until.ts";

const authority = testAuthority(TRUST_DOMAIN, Date.now);
const stack = new AsyncDisposableStack();
let apps: readonly EchoApp[];
let ports: readonly number[];
let servers: readonly TestEnvoy[];
let caller: TestEnvoy;
let localPort: number;

const service = (name: string, selector: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec: {selector: ${selector}, ports: [{port: 80, targetPort: app}]}
---`;

/** Two predictors, v1 and v2, and a third that says v2 and has another identity; a caller of the service over them. */
function mesh(rules: string, ready: readonly number[] = [0, 1]): ReadonlyMap<string, ProxySnapshot> {
  const workloads = apps.map(
    (app, index) => `
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-${index}, namespace: models, labels: {app: digits, version: v${index + 1}}}
spec:
  serviceAccount: digits
  address: 127.0.0.1
  inbound: [{name: app, port: ${ports[index]}, appPort: ${app.port}, protocol: http1}]
---`,
  );
  const route = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: digits, namespace: models}
spec:
  parentRefs: [{kind: Service, name: digits}]
  rules: ${rules}
---`;
  const teller = `
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: teller, namespace: branch}
spec: {serviceAccount: teller, address: 127.0.0.1, upstreams: [{service: models/digits, localPort: ${localPort}}]}
---`;
  const services = [
    service("digits", "{app: digits}"),
    ...apps.map((_, index) => service(`digits-v${index + 1}`, `{version: v${index + 1}}`)),
  ];
  const yaml = [...workloads, ...services, rules === "" ? "" : route, teller].join("");
  return build(parse(yaml), { ready: new Set(ready.map((index) => `models/digits-${index}`)) }).snapshot;
}

function proxyOf(snapshot: ReadonlyMap<string, ProxySnapshot>, nodeId: string): ProxySnapshot {
  const proxy = snapshot.get(nodeId);
  if (proxy === undefined) throw new Error(`no proxy ${nodeId}`);
  return proxy;
}

const split = (v1: number, v2: number) =>
  `[{backendRefs: [{name: digits-v1, weight: ${v1}}, {name: digits-v2, weight: ${v2}}]}]`;

beforeAll(async () => {
  apps = await Promise.all(["v1", "v2", "impostor"].map((name) => EchoApp.start(name)));
  for (const app of apps) stack.use(app);
  [localPort = 0, ...ports] = await freePorts(4);
  const snapshot = mesh(split(1, 1));
  servers = await Promise.all(
    apps.map((app, index) => {
      const nodeId = `models/digits-${index}`;
      const account = app.name === "impostor" ? "impostor" : "digits";
      return TestEnvoy.start(proxyOf(snapshot, nodeId), identityOf(authority, nodeId, account));
    }),
  );
  caller = await TestEnvoy.start(proxyOf(snapshot, "branch/teller"), identityOf(authority, "branch/teller", "teller"));
  for (const envoy of [...servers, caller]) stack.use(envoy);
});
afterAll(() => stack.disposeAsync());

test("an application's wishes about how Envoy is to treat a request are not heard", async () => {
  const headers = { "x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx", "x-envoy-max-retries": "9" };
  for (const forwarded of [{}, { "x-forwarded-for": "127.0.0.1" }])
    expect((await call({ port: localPort, path: "/slow", headers: { ...headers, ...forwarded } })).status).toBe(200);
});

const apply = (snapshot: ReadonlyMap<string, ProxySnapshot>) => caller.update(proxyOf(snapshot, "branch/teller"));

async function answersOf(count: number, options: Omit<Call, "port"> = {}): Promise<Readonly<Record<string, number>>> {
  const answers = await Promise.all(Array.from({ length: count }, () => call({ port: localPort, ...options })));
  const byApp = Map.groupBy(answers, ({ seen, status }) => seen?.app ?? String(status));
  return Object.fromEntries([...byApp].map(([who, { length }]) => [who, length]));
}

/** Calls one after another on four kept connections until stopped. */
function load(options: Omit<Call, "port" | "agent"> = {}) {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const answers: Answer[] = [];
  const errors: unknown[] = [];
  let running = true;
  const clients = Array.from({ length: 4 }, async () => {
    while (running)
      await call({ port: localPort, agent, ...options }).then(
        (answer) => answers.push(answer),
        (error: unknown) => errors.push(error),
      );
  });
  return {
    answers,
    more: (count: number) => {
      const enough = answers.length + count;
      return until(`${count} more answers`, () => (answers.length >= enough ? true : undefined));
    },
    async stop() {
      running = false;
      await Promise.all(clients);
      agent.destroy();
      expect(errors).toEqual([]);
      expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    },
  };
}

/** The status of one call over HTTP/2 in plain text. */
async function overHttp2(port: number, path: string): Promise<number | undefined> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    const stream = session.request({ ":path": path }).resume();
    const [headers] = await once(stream, "response");
    await once(stream, "close");
    return headers[":status"];
  } finally {
    session.destroy();
  }
}

describe("a route", () => {
  test("splits by weight, and sends nothing to weight 0", async () => {
    await apply(mesh(split(3, 1)));
    const { v1 = 0, v2 = 0, ...others } = await answersOf(400);
    expect(others).toEqual({});
    expect(v1 + v2).toBe(400);
    expect(v1 / 400).toBeGreaterThan(0.65);
    expect(v1 / 400).toBeLessThan(0.85);
    await apply(mesh(split(0, 1)));
    expect(await answersOf(20)).toEqual({ v2: 20 });
  });

  test("answers 500 when all weights are 0", async () => {
    await apply(mesh(split(0, 0)));
    expect(await answersOf(10)).toEqual({ 500: 10 });
  });

  test("answers 500 for the share of a backend that does not exist", async () => {
    await apply(mesh("[{backendRefs: [{name: digits-v1, weight: 1}, {name: gone, weight: 1}]}]"));
    const { v1 = 0, 500: failed = 0, ...others } = await answersOf(200);
    expect(others).toEqual({});
    expect(v1).toBeGreaterThan(60);
    expect(failed).toBeGreaterThan(60);
    await apply(mesh("[{backendRefs: [{name: gone}]}]"));
    expect(await answersOf(5)).toEqual({ 500: 5 });
  });
});

describe("a route matches", () => {
  const matches = `
    - {matches: [{path: {type: PathPrefix, value: /a/}}], backendRefs: [{name: digits-v1}]}
    - {matches: [{path: {type: Exact, value: /a/b}}], backendRefs: [{name: digits-v2}]}
    - {matches: [{path: {type: RegularExpression, value: "/m/[0-9]+"}}], backendRefs: [{name: digits-v2}]}
    - {matches: [{path: {value: /h}, method: POST, headers: [{name: x-tester, value: "yes"}]}], backendRefs: [{name: digits-v2}]}
    - {matches: [{path: {value: /host}, headers: [{name: Host, value: v2.test}]}], backendRefs: [{name: digits-v2}]}`;
  beforeAll(() => apply(mesh(matches)));

  test.each<[what: string, options: Omit<Call, "port">, who: string]>([
    ["exact path before prefix", { path: "/a/b" }, "v2"],
    ["a prefix by itself", { path: "/a" }, "v1"],
    ["a prefix with a slash", { path: "/a/" }, "v1"],
    ["a prefix before another element", { path: "/a/c?q=/x" }, "v1"],
    ["no prefix inside an element", { path: "/ab" }, "404"],
    ["a regex over the whole path", { path: "/m/7" }, "v2"],
    ["no regex over a part", { path: "/m/7/x" }, "404"],
    ["a header and a method", { path: "/h", method: "POST", headers: { "X-Tester": "yes" } }, "v2"],
    ["another method", { path: "/h", method: "PUT", headers: { "X-Tester": "yes" } }, "404"],
    ["another value", { path: "/h", method: "POST", headers: { "X-Tester": "yes!" } }, "404"],
    ["an authority", { path: "/host", headers: { host: "v2.test" } }, "v2"],
    ["nothing at all", { path: "/" }, "404"],
  ])("%s", async (_, options, who) => {
    expect(await answersOf(3, options)).toEqual({ [who]: 3 });
  });
});

test("an edited weight fails no request and closes no connection", async () => {
  await apply(mesh(split(1, 0)));
  const [connections, modified] = [await caller.stat(".downstream_cx_total"), await caller.stat("listener_modified")];
  const traffic = load();
  await traffic.more(50);
  for (const [v1, v2] of [
    [50, 50],
    [10, 90],
    [0, 1],
  ] as const) {
    await apply(mesh(split(v1, v2)));
    await traffic.more(50);
  }
  await traffic.stop();
  expect(traffic.answers.at(-1)?.seen?.app).toBe("v2");
  expect([await caller.stat("listener_modified"), await caller.stat("downstream_cx_drain_close")]).toEqual([
    modified,
    0,
  ]);
  // Four of the load; the rest are the admin interface's.
  expect(await caller.stat(`digits/80.downstream_cx_total`)).toBeLessThanOrEqual(connections + 4);
});

test("an endpoint that leaves and one that comes fail no request", async () => {
  await apply(mesh("", [0, 1]));
  const traffic = load({ path: "/slow" });
  for (const ready of [[0], [0, 1], [1], [0, 1]]) {
    await apply(mesh("", ready));
    await traffic.more(60);
  }
  await traffic.stop();
  expect(new Set(traffic.answers.map(({ seen }) => seen?.app))).toEqual(new Set(["v1", "v2"]));
});

test("HTTP/1.1 and HTTP/2 stay what they are between the sidecars", async () => {
  await apply(mesh("", [0]));
  await call({ port: localPort, path: "/over-1" });
  await overHttp2(localPort, "/over-2");
  const protocolOf = (envoy: TestEnvoy | undefined, path: string) =>
    until(path, () => envoy?.accessLog().find((line) => line["path"] === path)?.["protocol"]);
  expect(await protocolOf(servers[0], "/over-1")).toBe("HTTP/1.1");
  expect(await protocolOf(servers[0], "/over-2")).toBe("HTTP/2");
});

test("a server with another identity gets no request", async () => {
  await apply(mesh("[{backendRefs: [{name: digits-v3}]}]", [2]));
  expect(await answersOf(5, { path: "/secret" })).toEqual({ 503: 5 });
  // Of the handshakes that failed there is a line each, of requests none.
  expect(servers[2]?.accessLog().filter(({ protocol }) => protocol !== "TCP")).toEqual([]);
});

test("a server that died is passed over, whatever the method", async () => {
  await apply(mesh("", [0, 1]));
  await servers[0]?.[Symbol.asyncDispose]();
  expect(await answersOf(60, { method: "POST" })).toEqual({ v2: 60 });
});
