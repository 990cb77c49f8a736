// A real Envoy shows answers to an agent, which is a server of the test, where an AuditPolicy asks for their digests.
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type Http2Session } from "node:http2";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ProxySnapshot } from "../src/snapshot/snapshot.ts";
import { testAuthority } from "./authority.ts";
import { CheckServer } from "./check-server.ts";
import { TestEnvoy } from "./envoy.ts";
import { resourcesOf } from "./file-xds.ts";
import { freePorts } from "./http.ts";
import { identityOf } from "./identity.ts";
import { build, parse, TRUST_DOMAIN } from "./mesh.ts";
import { ProcessServer } from "./process-server.ts";
import { until } from "./until.ts";

const DECISION = "0123456789ABCDEF";
const PATH = "/v2/models/digits/infer";
const LARGE = 20 * 1024 * 1024;
/** In both Envoys and in sockets, at most. */
const UNDER_WAY = 8 * 1024 * 1024;
const CHUNK = Buffer.alloc(50_000, "an answer ");

const authority = testAuthority(TRUST_DOMAIN, Date.now);
const stack = new AsyncDisposableStack();
const sockets = new Set<Socket>();
let server: TestEnvoy;
let proxy: ProxySnapshot;
let [inbound, outbound] = [0, 0];
let appPort = 0;

/** As many bytes as the request asks for, in chunks; "cut": not all of them. */
function answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const bytes = Number(incoming.headers["x-bytes"]);
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      if (incoming.headers["x-cut"] !== undefined && left < bytes / 2) {
        outgoing.destroy();
        return;
      }
      const part = CHUNK.subarray(0, left);
      left -= part.length;
      if (!outgoing.write(part)) {
        outgoing.once("drain", more);
        return;
      }
    }
    outgoing.end();
  };
  incoming.resume().on("end", () => {
    outgoing.writeHead(bytes === 0 ? 204 : 200);
    more();
  });
}

function world(audit: string | undefined) {
  const objects = parse(`
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: digits}]}
---
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}], allow: [{name: all, from: [{namespace: branch}], methods: [infer]}]}
---${
    audit === undefined
      ? ""
      : `
apiVersion: hedgerow.dev/v1alpha1
kind: AuditPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}], ${audit}}
---`
  }
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: digits-1, namespace: models, labels: {app: digits}}
spec:
  serviceAccount: digits
  address: 127.0.0.1
  inbound: [{name: digits, port: ${inbound}, appPort: ${appPort}, protocol: http1}]
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: teller, namespace: branch}
spec:
  serviceAccount: teller
  address: 127.0.0.1
  upstreams: [{service: models/digits, localPort: ${outbound}}]
`);
  return build(objects).snapshot;
}

function proxyOf(audit: string | undefined, nodeId = "models/digits-1"): ProxySnapshot {
  const found = world(audit).get(nodeId);
  if (found === undefined) throw new Error(`no proxy ${nodeId}`);
  return found;
}

const ON = "digests: {output: true}";

beforeAll(async () => {
  const app = createServer(answer).listen(0, "127.0.0.1");
  await until("a port", () => app.listening || undefined);
  stack.defer(() => void app.close());
  appPort = (app.address() as AddressInfo).port;
  [inbound = 0, outbound = 0] = await freePorts(2);
  proxy = proxyOf(ON);
  server = stack.use(await TestEnvoy.start(proxy, identityOf(authority, "models/digits-1", "digits")));
  stack.use(await TestEnvoy.start(proxyOf(ON, "branch/teller"), identityOf(authority, "branch/teller", "teller")));
  stack.use(
    await CheckServer.start(server.inspectSocket, () => ({
      status: 200,
      headers: { "x-hedgerow-decision": DECISION },
    })),
  );
});
afterAll(() => stack.disposeAsync());
beforeEach(() => rmSync(server.outputSocket, { force: true }));

interface Got {
  readonly status: number | undefined;
  readonly bytes: number;
  readonly sha256: string;
  readonly whole: boolean;
}

/** What a caller gets; `reading`: with each part. */
async function get(bytes: number, headers = {}, reading: (bytes: number) => void = () => undefined): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<Got>();
  const hash = createHash("sha256");
  let got = 0;
  request(
    { port: outbound, method: "POST", path: PATH, headers: { ...headers, "x-bytes": String(bytes) } },
    (response) => {
      response.on("data", (part: Buffer) => {
        hash.update(part);
        got += part.length;
        reading(got);
      });
      response.on("error", () => undefined);
      response.on("close", () =>
        resolve({ status: response.statusCode, bytes: got, sha256: hash.digest("hex"), whole: response.complete }),
      );
    },
  )
    .on("error", reject)
    .end("{}");
  return await promise;
}

describe("an agent that reads", () => {
  test.each([0, 1, 50_001, LARGE])("is shown all %i bytes of an answer, and nothing else of it", async (bytes) => {
    await using agent = await ProcessServer.start(server.outputSocket);
    const got = await get(bytes, { "x-secret": "of the application" });
    expect([got.bytes, got.whole]).toEqual([bytes, true]);
    const shown = await until("the answer's end", () => agent.shown.find(({ ended }) => ended));
    const hash = createHash("sha256");
    for (const part of shown.parts) hash.update(part);
    expect([shown.decision, hash.digest("hex")]).toEqual([DECISION, got.sha256]);
    expect(new Set(shown.kinds)).toEqual(new Set(["responseHeaders", ...(bytes === 0 ? [] : ["responseBody"])]));
    expect(shown.headers).toEqual([":status"]);
  });

  test("is not told that an answer ended which the application broke off", async () => {
    await using agent = await ProcessServer.start(server.outputSocket);
    expect((await get(LARGE, { "x-cut": "1" })).whole).toBe(false);
    expect((await get(1)).whole).toBe(true);
    await until("the other answer's end", () => agent.shown.find(({ ended }) => ended));
    expect(agent.shown.map(({ ended }) => ended)).toEqual([false, true]);
  });
});

describe("answers are whole", () => {
  test("when nobody listens", async () => {
    expect(await get(LARGE)).toMatchObject({ status: 200, bytes: LARGE, whole: true });
  });

  test("when the agent is killed while one passes", async () => {
    const connections = new Set<Http2Session>();
    let bytes = 0;
    const agent = createHttp2Server().listen(server.outputSocket);
    agent.on("session", (session) => connections.add(session.on("error", () => undefined)));
    agent.on("stream", (stream) => {
      stream.on("error", () => undefined);
      stream.on("data", (part: Buffer) => {
        bytes += part.length;
        if (bytes > LARGE / 4) for (const connection of connections) connection.destroy();
      });
    });
    expect(await get(LARGE)).toMatchObject({ status: 200, bytes: LARGE, whole: true });
    expect(bytes).toBeGreaterThan(0);
    agent.close();
  });

  test("when the agent hangs, after a while in which no more than what is under way is kept", async () => {
    const agent = createNetServer((socket) => sockets.add(socket.pause().on("error", () => undefined)));
    agent.listen(server.outputSocket);
    const begun = performance.now();
    let early = 0;
    const got = await get(LARGE, {}, (bytes) => {
      if (performance.now() - begun < 500) early = bytes;
    });
    const tookMs = performance.now() - begun;
    agent.close();
    for (const socket of sockets) socket.destroy();
    expect(got).toMatchObject({ status: 200, bytes: LARGE, whole: true });
    expect(early).toBeLessThan(UNDER_WAY);
    expect(tookMs).toBeLessThan(6_000);
  });
});

test("listeners are the same whatever policies ask", () => {
  const bytes = [ON, "digests: {output: false}", undefined].map((audit) =>
    resourcesOf(proxyOf(audit), "listeners").map(({ encoded }) => Buffer.from(encoded).toString("hex")),
  );
  expect(bytes[1]).toEqual(bytes[0]);
  expect(bytes[2]).toEqual(bytes[0]);
});

test("an agent is shown nothing where no digests are asked for", async () => {
  await using agent = await ProcessServer.start(server.outputSocket);
  for (const audit of ["digests: {output: false}", undefined]) {
    await server.update(proxyOf(audit));
    expect((await get(1)).whole).toBe(true);
  }
  expect(agent.shown).toEqual([]);
  await server.update(proxy);
  await get(1);
  await until("the answer's end", () => agent.shown.find(({ ended }) => ended));
  expect(agent.shown.length).toBe(1);
});
