// What callers of each protocol are told by real Envoys: a status of their protocol and an id. The agent is a server of the test.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testAuthority } from "./authority.ts";
import { type Answering, CheckServer } from "./check-server.ts";
import { TestEnvoy } from "./envoy.ts";
import { EchoApp, freePorts } from "./http.ts";
import { identityOf } from "./identity.ts";
import { build, parse, TRUST_DOMAIN } from "./mesh.ts";
import { post, type Refused, STREAM_CLIENTS, UNARY_CLIENTS } from "./refused-clients.ts";

const authority = testAuthority(TRUST_DOMAIN, Date.now);
const stack = new AsyncDisposableStack();
/** Local ports of the callers. */
let teller = { closed: 0, open: 0, plain: 0, dead: 0 };
let stranger = 0;
let server: TestEnvoy;
let agent: CheckServer;

const DECISION = "0123456789ABCDEF";
const allow: Answering = () => ({ status: 200, headers: { "x-hedgerow-decision": DECISION } });

beforeAll(async () => {
  const app = stack.use(await EchoApp.start("digits"));
  const [closed = 0, open = 0, plain = 0, dead = 0, nobody = 0, a = 0, b = 0, c = 0, d = 0, e = 0] =
    await freePorts(10);
  teller = { closed: a, open: b, plain: c, dead: e };
  stranger = d;
  const service = (name: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: ${name}}]}
---
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: ${name}, namespace: models}
spec: {targetRefs: [{kind: Service, name: ${name}}], allow: [{name: tellers, from: [{serviceAccount: branch/teller}]}]}
---`;
  const audit = (name: string, failMode: string) => `
apiVersion: hedgerow.dev/v1alpha1
kind: AuditPolicy
metadata: {name: ${name}, namespace: models}
spec: {targetRefs: [{kind: Service, name: ${name}}], failMode: ${failMode}}
---
apiVersion: hedgerow.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: ${name}, namespace: models}
spec: {targetRefs: [{kind: Service, name: ${name}}], maxRequestBytes: 64Ki}
---`;
  const { snapshot } = build(
    parse(`
${service("closed")}${service("open")}${service("plain")}${service("dead")}${audit("closed", "closed")}${audit("open", "open")}
${audit("dead", "closed")}
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models, labels: {app: digits}}
spec:
  serviceAccount: digits
  address: 127.0.0.1
  inbound:
    - {name: closed, port: ${closed}, appPort: ${app.port}, protocol: http1}
    - {name: open, port: ${open}, appPort: ${app.port}, protocol: http1}
    - {name: plain, port: ${plain}, appPort: ${app.port}, protocol: http1}
    - {name: dead, port: ${dead}, appPort: ${nobody}, protocol: http1}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: teller, namespace: branch}
spec:
  serviceAccount: teller
  address: 127.0.0.1
  upstreams:
    - {service: models/closed, localPort: ${a}}
    - {service: models/open, localPort: ${b}}
    - {service: models/plain, localPort: ${c}}
    - {service: models/dead, localPort: ${e}}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: stranger, namespace: branch}
spec: {serviceAccount: stranger, address: 127.0.0.1, upstreams: [{service: models/closed, localPort: ${d}}]}
`),
  );
  const start = async (nodeId: string, account: string) => {
    const proxy = snapshot.get(nodeId);
    if (proxy === undefined) throw new Error(`no proxy ${nodeId}`);
    return stack.use(await TestEnvoy.start(proxy, identityOf(authority, nodeId, account)));
  };
  server = await start("models/digits-1", "digits");
  await start("branch/teller", "teller");
  await start("branch/stranger", "stranger");
  agent = stack.use(await CheckServer.start(server.inspectSocket, allow));
});
afterAll(() => stack.disposeAsync());
beforeEach(() => {
  agent.answer = allow;
  agent.checks.length = 0;
});

function expectRefused({ code, message, headers }: Refused, rpc: string, http: number): void {
  expect(code).toBe(typeof code === "number" ? http : rpc);
  expect(message).toMatch(/^refused: [0-9a-f-]{36}$/);
  expect(message).toBe(`refused: ${headers["x-hedgerow-decision"]}`);
  expect(headers).not.toHaveProperty("x-hedgerow-unserved");
  expect(headers).not.toHaveProperty("x-hedgerow-status");
}

describe.each(Object.entries(UNARY_CLIENTS))("%s is told of", (_, ask) => {
  test("a caller without rights", async () => {
    expectRefused(await ask(stranger, 10), "PERMISSION_DENIED", 403);
    expect(agent.checks).toEqual([]);
  });

  test("a body over the limit, which the agent never sees", async () => {
    expectRefused(await ask(teller.closed, 300_000), "RESOURCE_EXHAUSTED", 413);
    expectRefused(await ask(teller.open, 300_000), "RESOURCE_EXHAUSTED", 413);
    expect(agent.checks).toEqual([]);
  });

  test.each<[string, Answering]>([
    ["fails", () => ({ status: 500 })],
    ["is gone", () => "drop"],
  ])("an agent that %s, where that closes", async (_, answer) => {
    agent.answer = answer;
    expectRefused(await ask(teller.closed, 10), "UNAVAILABLE", 503);
    // No application has seen the request, so the caller's sidecar has tried it again.
    expect(new Set(agent.checks.map(({ headers }) => headers["x-envoy-attempt-count"]))).toEqual(
      new Set(["1", "2", "3"]),
    );
    expect(
      server.outcomes().filter(({ upstream, audit }) => upstream !== undefined && audit === "models/closed"),
    ).toEqual([]);
  });

  test("an application that is not there", async () => {
    const { code, message } = await ask(teller.dead, 10);
    expect(code).toBe(typeof code === "number" ? 503 : "UNAVAILABLE");
    expect(message).toMatch(/connection.failure|^no answer of the application$/);
  });
});

test("each is told of an agent that hangs, where that closes", async () => {
  agent.answer = () => undefined;
  const refused = await Promise.all(Object.values(UNARY_CLIENTS).map((ask) => ask(teller.closed, 10)));
  for (const each of refused) expectRefused(each, "UNAVAILABLE", 503);
}, 30_000);

test("an agent that fails goes unnoticed where that opens", async () => {
  for (const answer of [{ status: 500 }, "drop" as const]) {
    agent.answer = () => answer;
    for (const type of ["application/json", "application/grpc", "application/grpc-web+proto"]) {
      const path = "/v2/models/digits/infer";
      const { status, headers, body } = await post(teller.open, path, { "content-type": type }, Buffer.alloc(10));
      expect([status, headers["x-hedgerow-decision"], String(body)]).toEqual([
        200,
        undefined,
        expect.stringContaining('"app":"digits"'),
      ]);
    }
  }
});

describe.each(Object.entries(STREAM_CLIENTS))("a stream of %s is told of", (_, ask) => {
  test("a caller without rights", async () => {
    expectRefused(await ask(stranger, 10), "PERMISSION_DENIED", 403);
  });
  test("an agent that fails", async () => {
    agent.answer = () => ({ status: 500 });
    expectRefused(await ask(teller.closed, 10), "UNAVAILABLE", 503);
  });
});
