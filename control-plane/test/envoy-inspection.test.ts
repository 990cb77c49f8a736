// A real Envoy has requests checked by an agent, which is a server of the test, and writes down how they ended.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, constants, createServer as createHttp2Server } from "node:http2";
import { type AddressInfo, connect as tcpConnect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { testAuthority } from "./authority.ts";
import { type Check, type CheckAnswer, CheckServer } from "./check-server.ts";
import { TestEnvoy } from "./envoy.ts";
import { call, freePorts } from "./http.ts";
import { identityOf } from "./identity.ts";
import { build, parse, TRUST_DOMAIN } from "./mesh.ts";
import { post, UNARY_CLIENTS } from "./refused-clients.ts";
import { until } from "./until.ts";

const LIMIT = 65_536;
const DECISION = "0123456789ABCDEF";
const REFUSED = /socket hang up|ECONNRESET|alert|EPROTO|disconnected/;
const INFER = "/v2/models/digits/infer";
const RPC = "/inference.GRPCInferenceService/ModelInfer";

const authority = testAuthority(TRUST_DOMAIN, Date.now);
const teller = identityOf(authority, "branch/teller", "teller");
const stack = new AsyncDisposableStack();
let ports = { recorded: 0, open: 0, unrecorded: 0 };
let local = { recorded: 0, draining: 0, large: 0, open: 0 };
let server: TestEnvoy;
let agent: CheckServer;

/** As the agent does: a body that is too long, or cut, is refused. */
const allow = ({ headers, body }: Check): CheckAnswer =>
  body.length > LIMIT || headers["x-envoy-auth-partial-body"] === "true"
    ? { status: 413, headers: { "x-hedgerow-decision": DECISION, "grpc-status": "8" }, body: `refused: ${DECISION}` }
    : { status: 200, headers: { "x-hedgerow-decision": DECISION, "x-hedgerow-status": "200", "x-other": "no" } };

/** Says what it got; pretends to have decided. */
function answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
  let bytes = 0;
  incoming.on("data", (part: Buffer) => {
    bytes += part.length;
  });
  incoming.on("end", () => {
    outgoing.writeHead(200, { "content-type": "application/json", "x-hedgerow-decision": "FORGED" });
    outgoing.end(JSON.stringify({ app: "digits", path: incoming.url, headers: incoming.headers, bytes }));
  });
}

beforeAll(async () => {
  const app = createServer(answer).listen(0, "127.0.0.1");
  let streams = 0;
  // As a server that drains says of a stream that came too late.
  const draining = createHttp2Server().listen(0, "127.0.0.1");
  draining.on("stream", (stream) => {
    streams += 1;
    stream.on("error", () => {});
    if (streams % 2 === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else stream.respond({ ":status": 200 }, { endStream: true });
  });
  for (const each of [app, draining]) {
    await until("a port", () => each.listening || undefined);
    stack.defer(() => void each.close());
  }
  const [appPort, drainingPort] = [app, draining].map((each) => (each.address() as AddressInfo).port);
  const [recorded = 0, open = 0, unrecorded = 0, drains = 0, large = 0, a = 0, b = 0, c = 0, d = 0] =
    await freePorts(9);
  ports = { recorded, open, unrecorded };
  local = { recorded: a, draining: b, large: c, open: d };
  const policies = (name: string, failMode?: string, bytes = "64Ki") => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: ${name}}]}
---
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: ${name}, namespace: models}
spec: {targetRefs: [{kind: Service, name: ${name}}], allow: [{name: all, from: [{namespace: branch}], methods: [infer, metadata]}]}
---
apiVersion: hedgerow.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: ${name}, namespace: models}
spec: {targetRefs: [{kind: Service, name: ${name}}], maxRequestBytes: ${bytes}}
---${
    failMode === undefined
      ? ""
      : `
apiVersion: hedgerow.dev/v1alpha1
kind: AuditPolicy
metadata: {name: ${name}, namespace: models}
spec: {targetRefs: [{kind: Service, name: ${name}}], failMode: ${failMode}}
---`
  }`;
  const { snapshot } = build(
    parse(`${policies("recorded", "closed")}${policies("open", "open")}${policies("unrecorded")}${policies("drains", "closed")}${policies("large", "closed", "16Mi")}
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models, labels: {app: digits}}
spec:
  serviceAccount: digits
  address: 127.0.0.1
  inbound:
    - {name: recorded, port: ${recorded}, appPort: ${appPort}, protocol: http1}
    - {name: open, port: ${open}, appPort: ${appPort}, protocol: http1}
    - {name: unrecorded, port: ${unrecorded}, appPort: ${appPort}, protocol: http1}
    - {name: large, port: ${large}, appPort: ${appPort}, protocol: http1}
    - {name: drains, port: ${drains}, appPort: ${drainingPort}, protocol: http2}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: teller, namespace: branch}
spec:
  serviceAccount: teller
  address: 127.0.0.1
  upstreams:
    - {service: models/recorded, localPort: ${a}}
    - {service: models/drains, localPort: ${b}}
    - {service: models/large, localPort: ${c}}
    - {service: models/open, localPort: ${d}}
`),
  );
  const start = async (nodeId: string, account: string) => {
    const proxy = snapshot.get(nodeId);
    if (proxy === undefined) throw new Error(`no proxy ${nodeId}`);
    return stack.use(await TestEnvoy.start(proxy, identityOf(authority, nodeId, account)));
  };
  server = await start("models/digits-1", "digits");
  await start("branch/teller", "teller");
  agent = stack.use(await CheckServer.start(server.inspectSocket, allow));
});
afterAll(() => stack.disposeAsync());
beforeEach(() => {
  agent.answer = allow;
  agent.checks.length = 0;
});

const forged = {
  "x-hedgerow-decision": "FORGED",
  "x-hedgerow-max-request-bytes": "1",
  "x-hedgerow-status": "200",
  "x-forwarded-client-cert": "URI=spiffe://bank.ae/ns/hedgerow-system/sa/control-plane",
};

describe("the agent", () => {
  test("is asked with the body, the caller and what it reads a request by", async () => {
    const headers = {
      ...forged,
      "content-type": "application/json",
      "content-encoding": "gzip",
      "inference-header-content-length": "3",
      "connect-timeout-ms": "100",
      "x-request-id": "mine",
      "x-secret": "of the application",
      cookie: "a=b",
    };
    await post(local.recorded, `${INFER}?x=1`, headers, Buffer.from("hello"));
    const { headers: seen, ...check } = agent.checks[0] ?? { headers: {} };
    expect(check).toEqual({
      method: "POST",
      url: `/${ports.recorded}${INFER}?x=1`,
      body: Buffer.from("hello"),
    });
    expect(seen).toMatchObject({
      "content-type": "application/json",
      "content-encoding": "gzip",
      "inference-header-content-length": "3",
      "connect-timeout-ms": "100",
      "content-length": "5",
      "x-request-id": "mine",
      "x-envoy-attempt-count": "1",
      "x-forwarded-client-cert": expect.stringMatching(/;URI=spiffe:\/\/bank.ae\/ns\/branch\/sa\/teller$/),
    });
    expect(Object.keys(seen).filter((name) => /secret|cookie|hedgerow/.test(name))).toEqual([]);
  });

  test.each([RPC, INFER, "/v2/models/digits/versions/3/infer"])("sees the body of %s", async (path) => {
    await call({ port: ports.recorded, path, method: "POST", identity: teller });
    await post(local.recorded, path, {}, Buffer.alloc(100));
    expect(agent.checks.map(({ body }) => body.length)).toEqual([0, 100]);
  });

  test.each(["/v2/models/digits", `${RPC}/x`, "/v2/models/digits/infer/x", "/"])(
    "is asked of %s without its body",
    async (path) => {
      agent.answer = () => ({ status: 403 });
      const outgoing = connect(`http://127.0.0.1:${local.recorded}`);
      // Never ends: a check that waited for all of it would never come.
      const stream = outgoing.request({ ":method": "POST", ":path": path });
      stream.write("part");
      const status = await new Promise((done) => stream.on("response", (headers) => done(headers[":status"])));
      outgoing.destroy();
      expect(status).toBe(403);
      // RBAC was there first where no rule has the path.
      expect(agent.checks.map(({ body }) => body.length)).toEqual(path === "/v2/models/digits" ? [0] : []);
    },
  );

  test("is not asked of what nothing records", async () => {
    const { seen } = await call({ port: ports.unrecorded, path: INFER, headers: forged, identity: teller });
    expect([agent.checks.length, seen?.headers["x-hedgerow-max-request-bytes"]]).toEqual([0, String(LIMIT)]);
    expect(seen?.headers).not.toHaveProperty("x-hedgerow-decision");
  });

  test.each([1, LIMIT - 5, LIMIT, LIMIT + 1, LIMIT + 5, LIMIT + 16_000, 3 * LIMIT])(
    "never decides on a part of %i bytes",
    async (bytes) => {
      const outgoing = connect(`http://127.0.0.1:${local.recorded}`);
      const stream = outgoing.request({ ":method": "POST", ":path": INFER });
      stream.end(Buffer.alloc(bytes)).resume();
      const headers = await new Promise<Readonly<Record<string, unknown>>>((done) => stream.on("response", done));
      outgoing.destroy();
      const allowed = agent.checks.filter((check) => allow(check).status === 200);
      expect(allowed.map(({ body }) => body.length)).toEqual(bytes <= LIMIT ? [bytes] : []);
      expect(headers[":status"]).toBe(bytes <= LIMIT ? 200 : 413);
    },
  );

  test.each([RPC, INFER])("sees all of a large body of %s where a TrafficPolicy lets it in", async (path) => {
    const body = Buffer.alloc(10_000_000, "x");
    agent.answer = () => ({ status: 403 });
    const outgoing = connect(`http://127.0.0.1:${local.large}`);
    const stream = outgoing.request({ ":method": "POST", ":path": path });
    stream.end(body).resume();
    await new Promise((done) => stream.on("response", done));
    outgoing.destroy();
    await post(local.large, path, {}, body);
    expect(agent.checks.map((check) => check.body.equals(body))).toEqual([true, true]);
  });
});

describe("what no agent could read is let through by no filter", () => {
  test.each([INFER, RPC])(
    "%s that asks for a WebSocket, which Envoy would have checked without its body",
    async (path) => {
      const headers = { connection: "upgrade", upgrade: "websocket", "content-type": "application/proto" };
      for (const port of [ports.open, ports.recorded]) {
        const { status, seen } = await call({ port, path, method: "POST", headers, identity: teller });
        expect([status, seen]).toEqual([403, undefined]);
      }
      expect(agent.checks).toEqual([]);
    },
  );

  test("a method that nobody knows", async () => {
    const outgoing = connect(`http://127.0.0.1:${local.open}`);
    const stream = outgoing.request({ ":method": "FOO", ":path": INFER });
    stream.end();
    const headers = await new Promise<Readonly<Record<string, unknown>>>((done) => stream.on("response", done));
    expect(headers[":status"]).toBe(400);
    expect(JSON.parse(await text(stream))).toEqual({ error: `refused: ${String(headers["x-hedgerow-decision"])}` });
    outgoing.destroy();
  });
});

describe("what is let through", () => {
  test("carries the decision to the application and to the caller, whoever else set one", async () => {
    const { headers, seen } = await call({ port: ports.recorded, path: INFER, headers: forged, identity: teller });
    expect(headers).toMatchObject({ "x-hedgerow-decision": DECISION });
    expect(headers).not.toHaveProperty("x-hedgerow-status");
    expect(seen?.headers).toMatchObject({
      "x-hedgerow-decision": DECISION,
      "x-hedgerow-max-request-bytes": String(LIMIT),
    });
    expect(seen?.headers).not.toHaveProperty("x-hedgerow-status");
    expect(seen?.headers).not.toHaveProperty("x-other");
  });

  test("without a decision has none", async () => {
    agent.answer = () => ({ status: 500 });
    const { status, headers, seen } = await call({ port: ports.open, path: INFER, headers: forged, identity: teller });
    expect([status, seen?.headers["x-hedgerow-decision"], headers["x-hedgerow-decision"]]).toEqual([
      200,
      undefined,
      undefined,
    ]);
  });

  test("waits no longer than the agent may take", async () => {
    agent.answer = () => undefined;
    const [open, closed] = await Promise.all(
      [ports.open, ports.recorded].map((port) => call({ port, path: INFER, identity: teller })),
    );
    expect([open?.status, closed?.status, closed?.headers["x-hedgerow-unserved"]]).toEqual([200, 503, "1"]);
  });
});

describe("a denial of the agent", () => {
  test("tells a gRPC client when to come again", async () => {
    agent.answer = () => ({
      status: 429,
      headers: { "grpc-status": "8", "grpc-retry-pushback-ms": "1000", "x-hedgerow-decision": DECISION },
      body: `refused: ${DECISION}`,
    });
    expect(await UNARY_CLIENTS["grpc-js"]?.(local.recorded, 10)).toMatchObject({
      code: "RESOURCE_EXHAUSTED",
      message: `refused: ${DECISION}`,
      headers: { "grpc-retry-pushback-ms": "1000", "x-hedgerow-decision": DECISION },
    });
  });

  test("has the status that it asks for, and every byte of its body", async () => {
    const body = Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
    for (const status of [200, 501]) {
      agent.answer = () => ({
        status: 403,
        headers: {
          "content-type": "application/grpc-web+proto",
          "x-hedgerow-status": String(status),
          "x-hedgerow-decision": DECISION,
          "x-other": "no",
        },
        body,
      });
      const answered = await post(local.recorded, INFER, {}, Buffer.alloc(10));
      expect([answered.status, answered.body]).toEqual([status, body]);
      expect(answered.headers).toMatchObject({
        "content-type": "application/grpc-web+proto",
        "x-hedgerow-decision": DECISION,
      });
      expect(Object.keys(answered.headers).filter((name) => /other|x-hedgerow-[^d]/.test(name))).toEqual([]);
    }
    expect(agent.checks.length).toBe(2);
  });

  test("of 503 sends the caller's sidecar elsewhere, and is not opened", async () => {
    agent.answer = () => ({
      status: 403,
      headers: { "x-hedgerow-status": "503", "x-hedgerow-unserved": "1", "x-hedgerow-decision": DECISION },
      body: "{}",
    });
    const { status, headers } = await post(local.recorded, INFER, {}, Buffer.alloc(10));
    expect([status, agent.checks.length, headers["x-hedgerow-unserved"]]).toEqual([503, 3, undefined]);
    expect((await call({ port: ports.open, path: INFER, identity: teller })).status).toBe(503);
  });
});

describe("the log", () => {
  /** Lines of one request, once one that came after it is there: lines are written in order. */
  async function linesOf(id: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const after = `after ${id}`;
    await call({ port: ports.recorded, path: INFER, headers: { "x-request-id": after }, identity: teller });
    await until("the line after", () => server.outcomes().find((line) => line["request_id"] === after));
    return server.outcomes().filter((line) => line["request_id"] === id);
  }

  test("has a line of a recorded request, with its decision", async () => {
    await post(local.recorded, `${INFER}?secret=1`, { "x-request-id": "recorded" }, Buffer.from("hello"));
    expect(await linesOf("recorded")).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        port: String(ports.recorded),
        audit: "models/recorded",
        decision: DECISION,
        request_id: "recorded",
        method: "POST",
        path: INFER,
        protocol: "HTTP/1.1",
        status: 200,
        details: "via_upstream",
        flags: "-",
        duration_ms: expect.any(Number),
        bytes_received: 5,
        bytes_sent: expect.any(Number),
        upstream: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
        attempts: 1,
        attempt: "1",
        peer: `spiffe://${TRUST_DOMAIN}/ns/branch/sa/teller`,
        policy: "models/recorded",
      },
    ]);
  });

  test("has one line of a request that was tried again within the sidecar", async () => {
    for (const id of ["first", "second", "third"]) {
      await post(local.draining, INFER, { "x-request-id": id }, Buffer.alloc(10));
      expect(await linesOf(id)).toEqual([expect.objectContaining({ status: 200, attempts: 2, attempt: "1" })]);
    }
    expect(agent.checks.filter(({ headers }) => !String(headers["x-request-id"]).startsWith("after")).length).toBe(3);
  });

  test("has a line of what was denied, by whomever", async () => {
    const path = "/nobody/may";
    await call({ port: ports.recorded, path, headers: { "x-request-id": "rbac" }, identity: teller });
    expect(await linesOf("rbac")).toEqual([
      expect.objectContaining({ status: 403, audit: "models/recorded", details: expect.stringMatching(/^rbac/) }),
    ]);
    agent.answer = (check) =>
      check.headers["x-request-id"] === "denied" ? { ...allow(check), status: 403 } : allow(check);
    await call({ port: ports.recorded, path: INFER, headers: { "x-request-id": "denied" }, identity: teller });
    expect(await linesOf("denied")).toEqual([
      expect.objectContaining({ details: "ext_authz_denied", decision: DECISION, flags: "UAEX" }),
    ]);
  });

  test("has a line of what found no route, and none of an unrecorded one", async () => {
    const headers = { "x-request-id": "bad" };
    await call({ port: ports.unrecorded, path: "/a%2fb", headers, identity: teller });
    expect(await linesOf("bad")).toEqual([
      expect.objectContaining({ port: String(ports.unrecorded), status: 400, details: "path_normalization_failed" }),
    ]);
    for (const path of [INFER, "/nobody/may"])
      await call({ port: ports.unrecorded, path, headers: { "x-request-id": "unrecorded" }, identity: teller });
    expect(await linesOf("unrecorded")).toEqual([]);
  });

  test("has a line of a connection whose handshake failed, and none of others", async () => {
    const lines = () => server.outcomes().filter((line) => line["connection"] !== undefined);
    expect(lines()).toEqual([]);
    const { ca } = teller;
    const stranger = identityOf(testAuthority(TRUST_DOMAIN, Date.now), "branch/teller", "teller");
    await expect(call({ port: ports.recorded, identity: { ca } })).rejects.toThrow(REFUSED);
    await expect(call({ port: ports.recorded, identity: { ...stranger, ca } })).rejects.toThrow(REFUSED);
    await new Promise((done) =>
      tcpConnect(ports.recorded, "127.0.0.1")
        .on("close", done)
        .on("error", () => {})
        .end("GET / HTTP/1.1\r\n\r\n"),
    );
    const refused = await until("three lines", () => (lines().length >= 3 ? lines() : undefined));
    expect(refused).toEqual(
      refused.map(() => expect.objectContaining({ connection: true, failure: expect.stringMatching(/./) })),
    );
  });
});
