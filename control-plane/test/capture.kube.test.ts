// Pods whose traffic is captured by the real rules and carried by real Envoys: who reaches whom, how, and who does not.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MtlsMode } from "../src/cluster/state.ts";
import type { ProxySnapshot } from "../src/snapshot/snapshot.ts";
import { translate } from "../src/translate/translate.ts";
import { testAuthority } from "./authority.ts";
import { capturedModel, policy, type ServiceFixture } from "./captured-models.ts";
import { TestEnvoy } from "./envoy.ts";
import { identityOf } from "./identity.ts";
import { TRUST_DOMAIN } from "./mesh.ts";
import { type HttpAnswer, TestNetwork, type TestPod } from "./network.ts";
import { until } from "./until.ts";

const SERVER = "10.77.0.2";
const CALLER = "10.77.0.3";
const OUTSIDER = "10.77.0.4";

const authority = testAuthority(TRUST_DOMAIN, Date.now);
const stack = new AsyncDisposableStack();
let server: TestPod;
let caller: TestPod;
let outsider: TestPod;
const envoys = new Map<string, TestEnvoy>();

const onlyOthers = policy([{ name: "others", from: [{ serviceAccount: "branch/other" }] }]);
const onlyOk = policy([{ name: "ok", from: [{ serviceAccount: "branch/teller" }], paths: ["/ok"] }]);
const onlyTeller = policy([{ name: "teller", from: [{ serviceAccount: "branch/teller" }] }]);

const endpoint = (port: number) => [`models/server@${SERVER}:${port}`];
const services: Readonly<Record<string, ServiceFixture>> = {
  "models/http/80": { protocol: "http", clusterIps: ["10.96.0.1"], endpoints: endpoint(8080) },
  "models/h2c/80": { protocol: "http", clusterIps: ["10.96.0.11"], endpoints: endpoint(8083) },
  "models/paths/80": { protocol: "http", clusterIps: ["10.96.0.2"], endpoints: endpoint(8081) },
  "models/paths-any/80": { protocol: "auto", clusterIps: ["10.96.0.3"], endpoints: endpoint(8082) },
  "models/echo/6379": { protocol: "tcp", clusterIps: ["10.96.0.4"], endpoints: endpoint(6379) },
  "models/greeter/3306": { protocol: "tcp", clusterIps: ["10.96.0.5"], endpoints: endpoint(3306) },
  "models/closed/3307": { protocol: "tcp", clusterIps: ["10.96.0.6"], endpoints: endpoint(3307) },
  "models/any/7000": { protocol: "auto", clusterIps: ["10.96.0.7"], endpoints: endpoint(7000) },
  "models/any/7001": { protocol: "auto", clusterIps: ["10.96.0.7"], endpoints: endpoint(7001) },
  "models/own-tls/8443": { protocol: "tcp", clusterIps: ["10.96.0.8"], endpoints: endpoint(8443) },
  "models/teller-only/6380": { protocol: "tcp", clusterIps: ["10.96.0.10"], endpoints: endpoint(6380) },
  "models/headless/5000": { protocol: "http", endpoints: endpoint(5000) },
  "models/headless/5001": { protocol: "auto", endpoints: endpoint(5001) },
  "models/mixed/80": {
    protocol: "http",
    clusterIps: ["10.96.0.9"],
    endpoints: [...endpoint(8080), `${OUTSIDER}:8000`],
    plainEndpoints: true,
  },
  "outside/headless/8002": { protocol: "http", endpoints: [`${OUTSIDER}:8002`], plainEndpoints: true },
};

function mesh(mtls: MtlsMode, outbound: "passthrough" | "registry-only" = "passthrough") {
  return translate(
    capturedModel(
      [
        { nodeId: "branch/caller", address: CALLER, mtls, outbound },
        {
          nodeId: "models/server",
          address: SERVER,
          mtls,
          inbound: {
            8080: { protocol: "http" },
            8081: { protocol: "http", access: onlyOk },
            8083: { protocol: "http" },
            8082: { protocol: "auto", access: onlyOk },
            6379: { protocol: "tcp" },
            6380: { protocol: "tcp", access: onlyTeller },
            3306: { protocol: "tcp" },
            3307: { protocol: "tcp", access: onlyOthers },
            7000: { protocol: "auto" },
            7001: { protocol: "auto" },
            8443: { protocol: "tcp" },
            8444: { protocol: "http", access: onlyOk },
            5000: { protocol: "http" },
            5001: { protocol: "auto" },
          },
        },
      ],
      services,
    ),
  );
}

function proxyOf(snapshot: ReadonlyMap<string, ProxySnapshot>, nodeId: string): ProxySnapshot {
  const proxy = snapshot.get(nodeId);
  if (proxy === undefined) throw new Error(`no proxy ${nodeId}`);
  return proxy;
}

async function apply(...arguments_: Parameters<typeof mesh>): Promise<void> {
  const snapshot = mesh(...arguments_);
  for (const [nodeId, envoy] of envoys) await envoy.update(proxyOf(snapshot, nodeId));
}

beforeAll(async () => {
  const network = stack.use(new TestNetwork("capt"));
  server = network.pod("server", SERVER);
  caller = network.pod("caller", CALLER);
  outsider = network.pod("outsider", OUTSIDER);
  await server.serve(
    {
      8080: "http",
      8081: "http",
      8082: "http",
      8083: "h2c",
      6379: "echo",
      6380: "echo",
      3306: "greeter",
      3307: "greeter",
      7000: "http",
      7001: "greeter",
      8443: "tls",
      8444: "tls",
      5000: "http",
      5001: "echo",
      9999: "http",
    },
    "server",
  );
  await outsider.serve({ 8000: "http", 8001: "greeter", 8002: "http" }, "outsider");
  const snapshot = mesh("strict");
  for (const [nodeId, account, pod] of [
    ["models/server", "digits", server],
    ["branch/caller", "teller", caller],
  ] as const) {
    const identity = identityOf(authority, nodeId, account);
    const envoy = stack.use(await TestEnvoy.start(proxyOf(snapshot, nodeId), identity, pod.asProxy));
    envoys.set(nodeId, envoy);
    pod.capture();
  }
});
afterAll(() => stack.disposeAsync());

const seen = ([answer]: readonly HttpAnswer[]) => {
  if (answer?.status !== 200) throw new Error(`no answer of the application: ${JSON.stringify(answer)}`);
  return JSON.parse(answer.body ?? "");
};
const statusOf = ([answer]: readonly HttpAnswer[]) => answer?.status;

/** What holds in every mode, for calls within the mesh. */
function callsOfTheMesh(): void {
  test("HTTP by the cluster IP arrives over mTLS, at the port of the endpoint", async () => {
    const got = seen(await caller.http("http://10.96.0.1/a?b"));
    expect(got).toMatchObject({
      name: "server",
      path: "/a?b",
      httpVersion: "1.1",
      localPort: 8080,
      remoteAddress: "127.0.0.6",
    });
    expect(got.headers.host).toBe("10.96.0.1");
    expect(got.headers["x-forwarded-client-cert"]).toContain(`spiffe://${TRUST_DOMAIN}/ns/branch/sa/teller`);
  });

  test("HTTP/2 stays HTTP/2", async () => {
    expect(seen(await caller.http("http://10.96.0.11/a", { http2: true })).httpVersion).toBe("2.0");
  });

  test("a policy on paths refuses the others", async () => {
    expect(statusOf(await caller.http("http://10.96.0.2/ok"))).toBe(200);
    expect(statusOf(await caller.http("http://10.96.0.2/admin"))).toBe(403);
  });

  test("a policy on paths allows no connection without HTTP, where that might come", async () => {
    expect(statusOf(await caller.http("http://10.96.0.3/ok"))).toBe(200);
    expect(statusOf(await caller.http("http://10.96.0.3/admin"))).toBe(403);
    expect(await caller.tcp("10.96.0.3:80", { send: "anything\n" })).toEqual({ received: "", closed: true });
  });

  test("TCP arrives, whoever speaks first", async () => {
    expect(await caller.tcp("10.96.0.4:6379", { send: "ping", length: 4 })).toEqual({
      received: "ping",
      closed: false,
    });
    expect(await caller.tcp("10.96.0.5:3306", { length: 8 })).toEqual({ received: "welcome ", closed: false });
    expect((await caller.tcp("10.96.0.10:6380", { send: "ping", length: 4 })).received).toBe("ping");
  });

  test("TCP that no policy allows is refused before the application knows, even if that spoke first", async () => {
    expect(await caller.tcp("10.96.0.6:3307", {})).toEqual({ received: "", closed: true });
    const before = seen(await caller.http("http://10.96.0.1/")).connections;
    await caller.tcp("10.96.0.6:3307", { send: "hello" });
    expect(seen(await caller.http("http://10.96.0.1/")).connections).toBe(before);
  });

  test("where no protocol is named, the first bytes tell it", async () => {
    const { httpVersion, headers } = seen(await caller.http("http://10.96.0.7:7000/"));
    expect([httpVersion, headers["x-forwarded-client-cert"]]).toEqual(["1.1", expect.stringContaining("teller")]);
    expect((await caller.tcp("10.96.0.7:7001", { length: 8 })).received).toBe("welcome ");
  });

  test("TLS of an application goes through mTLS as it is", async () => {
    const answer = await caller.tcp("10.96.0.8:8443", { serverName: "own.example", send: "secret", length: 6 });
    expect(answer.received).toBe("secret");
  });

  test("a headless Service is called by the address of a pod, over mTLS", async () => {
    const got = seen(await caller.http(`http://${SERVER}:5000/x`));
    expect(got).toMatchObject({ path: "/x", localPort: 5000 });
    expect(got.headers["x-forwarded-client-cert"]).toContain("/ns/branch/sa/teller");
    expect((await caller.tcp(`${SERVER}:5001`, { send: "ping\n", length: 5 })).received).toBe("ping\n");
  });

  test("a Service of which some pods are outside the mesh is served by all of them", async () => {
    const answers = await caller.http("http://10.96.0.9/", { times: 20 });
    const names = answers.map((answer) => seen([answer]).name);
    expect(new Set(names)).toEqual(new Set(["server", "outsider"]));
    const inside = answers.map((answer) => seen([answer])).filter(({ name }) => name === "server");
    expect(inside.filter(({ headers }) => headers["x-forwarded-client-cert"] === undefined)).toEqual([]);
  });

  test("a headless pod outside the mesh is called as it is", async () => {
    expect(seen(await caller.http(`http://${OUTSIDER}:8002/`)).remoteAddress).toBe(CALLER);
  });

  test("a pod may call itself by the cluster IP", async () => {
    expect(seen(await server.http("http://10.96.0.1/")).headers["x-forwarded-client-cert"]).toContain("digits");
  });

  test("the listeners of capture lead nobody to themselves", async () => {
    for (const address of ["127.0.0.1:15001", `${CALLER}:15006`, `127.0.0.1:15006`])
      expect(await caller.tcp(address, { send: "x\n" })).toEqual({ received: "", closed: true });
    expect(await outsider.tcp(`${SERVER}:15006`, { send: "x\n" })).toEqual({ received: "", closed: true });
  });
}

describe("strict", () => {
  beforeAll(() => apply("strict"));
  callsOfTheMesh();

  test.each([
    ["HTTP", 8080],
    ["TCP", 6379],
    ["a port that no Service leads to", 9999],
  ])("nobody outside the mesh reaches %s", async (_, port) => {
    expect(await outsider.tcp(`${SERVER}:${port}`, { send: "GET / HTTP/1.0\r\n\r\n" })).toEqual({
      received: "",
      closed: true,
    });
  });

  test("TLS without a certificate of the mesh is refused, and costs the application no connection", async () => {
    const before = seen(await caller.http("http://10.96.0.1/")).connections;
    for (const serverName of ["own.example", "echo.models.mesh.hedgerow.internal"])
      for (const port of [6379, 8080, 8443])
        expect((await outsider.tcp(`${SERVER}:${port}`, { serverName, send: "x\n" })).received).toBe("");
    expect(seen(await caller.http("http://10.96.0.1/")).connections).toBe(before);
  });

  test("connections stand in the log: those that were refused, and why, and those that were not", async () => {
    const lineOf = (nodeId: string, what: string, fields: Readonly<Record<string, unknown>>) =>
      until(what, () =>
        envoys
          .get(nodeId)
          ?.accessLog()
          .find((line) => Object.entries(fields).every(([name, value]) => line[name] === value)),
      );
    const source = expect.stringMatching(`^${OUTSIDER}:`);
    await outsider.tcp(`${SERVER}:6380`, { send: "plain\n" });
    const plain = await lineOf("models/server", "plain text", { destination: `${SERVER}:6380`, flags: "NR" });
    expect(plain).toMatchObject({ direction: "inbound", protocol: "TCP", source });
    await caller.tcp("10.96.0.6:3307");
    const refused = await lineOf("models/server", "the handshake", {
      destination: `${SERVER}:3307`,
      server_name: "closed.models.mesh.hedgerow.internal",
    });
    expect(refused).toMatchObject({ failure: expect.stringContaining("SAN"), source: expect.stringContaining(CALLER) });
    await caller.tcp("10.96.0.10:6380", { send: "ping", length: 4 });
    const sent = await lineOf("models/server", "the bytes", { destination: `${SERVER}:6380`, bytes_received: 4 });
    expect(sent).toMatchObject({ peer: `spiffe://${TRUST_DOMAIN}/ns/branch/sa/teller`, cluster: "inbound/6380" });
    const out = await lineOf("branch/caller", "the call", { destination: "10.96.0.10:6380", bytes_sent: 4 });
    expect(out).toMatchObject({ direction: "outbound", upstream: `${SERVER}:6380` });
  });

  test("what is outside the mesh can be called", async () => {
    expect(seen(await caller.http(`http://${OUTSIDER}:8000/`))).toMatchObject({
      name: "outsider",
      remoteAddress: CALLER,
    });
    expect((await caller.tcp(`${OUTSIDER}:8001`, { length: 8 })).received).toBe("welcome ");
  });
});

describe("registry-only", () => {
  beforeAll(() => apply("strict", "registry-only"));

  test("only what the mesh knows can be called", async () => {
    expect(await caller.tcp(`${OUTSIDER}:8001`, {})).toEqual({ received: "", closed: true });
    expect(statusOf(await caller.http("http://10.96.0.1/"))).toBe(200);
    expect(seen(await caller.http(`http://${OUTSIDER}:8002/`)).name).toBe("outsider");
  });
});

test("a change of mode or policy ends no connection within the mesh", async () => {
  await apply("strict");
  await caller.http("http://10.96.0.1/");
  const envoy = envoys.get("models/server");
  const connections = () => envoy?.stat("http.inbound/8080.downstream_cx_total");
  const before = await connections();
  expect(before).toBeGreaterThan(0);
  for (const mtls of ["permissive", "strict"] as const) {
    await apply(mtls);
    expect(statusOf(await caller.http("http://10.96.0.1/"))).toBe(200);
  }
  expect(await connections()).toBe(before);
});

describe("permissive", () => {
  beforeAll(() => apply("permissive"));
  callsOfTheMesh();

  test("who is outside the mesh reaches what no policy governs", async () => {
    const { headers, remoteAddress } = seen(await outsider.http(`http://${SERVER}:8080/`));
    expect([headers["x-forwarded-client-cert"], remoteAddress]).toEqual([undefined, "127.0.0.6"]);
    expect(seen(await outsider.http(`http://${SERVER}:8083/`, { http2: true })).httpVersion).toBe("2.0");
    expect(statusOf(await outsider.http(`http://${SERVER}:7000/`))).toBe(200);
    expect(statusOf(await outsider.http(`http://${SERVER}:9999/`))).toBe(200);
    expect((await outsider.tcp(`${SERVER}:6379`, { send: "ping", length: 4 })).received).toBe("ping");
    expect((await outsider.tcp(`${SERVER}:3306`, { length: 8 })).received).toBe("welcome ");
    const own = await outsider.tcp(`${SERVER}:8443`, { serverName: "own.example", send: "secret", length: 6 });
    expect(own.received).toBe("secret");
  });

  test("but nothing that names its callers", async () => {
    expect(statusOf(await outsider.http(`http://${SERVER}:8081/ok`))).toBe(403);
    expect(statusOf(await outsider.http(`http://${SERVER}:8082/ok`))).toBe(403);
    for (const port of [6380, 3307])
      expect(await outsider.tcp(`${SERVER}:${port}`, { send: "x\n" })).toEqual({ received: "", closed: true });
  });

  test("an odd handshake is no way around a policy", async () => {
    for (const serverName of ["own.example", "x.y.mesh.hedgerow.internal"])
      for (const port of [8080, 8082, 8444, 6380])
        expect((await outsider.tcp(`${SERVER}:${port}`, { serverName, send: "x\n" })).received).toBe("");
  });
});
