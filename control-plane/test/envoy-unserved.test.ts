// A living sidecar whose application is dead: what it could not hand over is answered by another server, and only that.
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { connect, constants, createServer as createHttp2Server } from "node:http2";
import { connect as tcpConnect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { testAuthority } from "./authority.ts";
import { TestEnvoy } from "./envoy.ts";
import { call, freePorts } from "./http.ts";
import { identityOf } from "./identity.ts";
import { build, parse, TRUST_DOMAIN } from "./mesh.ts";

const authority = testAuthority(TRUST_DOMAIN, Date.now);
const stack = new AsyncDisposableStack();
let localPort = 0;
let aloneLocalPort = 0;
let grpcLocalPort = 0;
let refusingLocalPort = 0;
let appPort = 0;
let serverPorts: readonly number[] = [];
/** Requests that reached an application. */
let begun = 0;

beforeAll(async () => {
  const app = createServer((incoming, outgoing) => {
    begun += 1;
    void answer(incoming, outgoing);
  });
  app.on("upgrade", (incoming, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${incoming.headers.upgrade}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  app.listen(0, "127.0.0.1");
  await once(app, "listening");
  const address = app.address();
  appPort = typeof address === "object" && address !== null ? address.port : 0;
  stack.defer(async () => {
    app.closeAllConnections();
    app.close();
  });
  const refusing = createHttp2Server();
  let streams = 0;
  refusing.on("stream", (stream) => {
    streams += 1;
    // Our own refusal is an error of the stream to Node.
    stream.on("error", () => {});
    // As a server that drains says of a stream that came too late.
    if (streams % 2 === 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else stream.respond({ ":status": 200 }, { endStream: true });
  });
  refusing.listen(0, "127.0.0.1");
  await once(refusing, "listening");
  const refusingAddress = refusing.address();
  const refusingPort = typeof refusingAddress === "object" && refusingAddress !== null ? refusingAddress.port : 0;
  stack.defer(async () => {
    refusing.close();
  });
  const ports = await freePorts(9);
  const [dead = 0] = ports;
  [localPort = 0, aloneLocalPort = 0, grpcLocalPort = 0, refusingLocalPort = 0, ...serverPorts] = ports.slice(1);
  const [living = 0, deadInbound = 0, grpcInbound = 0, refusingInbound = 0] = serverPorts;
  const server = (name: string, inbound: string) => `
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: models, labels: {app: digits, name: ${name}}}
spec: {serviceAccount: digits, address: 127.0.0.1, inbound: [${inbound}]}
---`;
  const service = (name: string, selector: string, port: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec: {selector: ${selector}, ports: [{port: 80, targetPort: ${port}}]}
---`;
  const { snapshot } = build(
    parse(`
${server(
  "living",
  `{name: app, port: ${living}, appPort: ${appPort}, protocol: http1}, {name: late, port: ${refusingInbound}, appPort: ${refusingPort}, protocol: http2}`,
)}
${server(
  "dead",
  `{name: app, port: ${deadInbound}, appPort: ${dead}, protocol: http1}, {name: grpc, port: ${grpcInbound}, appPort: ${dead}, protocol: grpc}`,
)}
${service("digits", "{app: digits}", "app")}
${service("alone", "{name: dead}", "app")}
${service("grpc", "{name: dead}", "grpc")}
${service("late", "{name: living}", "late")}
apiVersion: hedgerow.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}], maxRequestBytes: 16Mi}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: teller, namespace: branch}
spec:
  serviceAccount: teller
  address: 127.0.0.1
  upstreams:
    - {service: models/digits, localPort: ${localPort}}
    - {service: models/alone, localPort: ${aloneLocalPort}}
    - {service: models/grpc, localPort: ${grpcLocalPort}}
    - {service: models/late, localPort: ${refusingLocalPort}}
`),
  );
  for (const [nodeId, account] of [
    ["models/living", "digits"],
    ["models/dead", "digits"],
    ["branch/teller", "teller"],
  ] as const) {
    const proxy = snapshot.get(nodeId);
    if (proxy === undefined) throw new Error(`no proxy ${nodeId}`);
    stack.use(await TestEnvoy.start(proxy, identityOf(authority, nodeId, account)));
  }
});
afterAll(() => stack.disposeAsync());

/** Says how much it got; /liar pretends that it was never asked. */
async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  let bytes = 0;
  for await (const part of incoming) bytes += (part as Buffer).length;
  if (incoming.url === "/liar") outgoing.writeHead(503, { "x-hedgerow-unserved": "1", "x-other": "kept" });
  outgoing.end(String(bytes));
}

interface Posted {
  readonly status: number;
  readonly body: string;
  readonly unserved: boolean;
}

/** Sends a body in parts with a pause of the event loop between them; its first part goes before anything else. */
function post(port: number, path: string, parts: readonly Buffer[]): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: "127.0.0.1", port, path, method: "POST", agent: false }, (incoming) => {
      text(incoming).then((body) => {
        resolve({ status: incoming.statusCode ?? 0, body, unserved: "x-hedgerow-unserved" in incoming.headers });
      }, reject);
    });
    outgoing.on("error", reject);
    const send = ([part, ...rest]: readonly Buffer[]) => {
      if (part === undefined) outgoing.end();
      else outgoing.write(part, () => setTimeout(() => send(rest), parts.length > 1 ? 30 : 0));
    };
    send(parts);
  });
}

describe("with one application dead and one alive", () => {
  test("no request of 200 fails", async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => call({ port: localPort })));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(answers.filter(({ headers }) => "x-hedgerow-unserved" in headers)).toEqual([]);
  });

  test.each([
    ["small", [Buffer.alloc(10)]],
    ["of 3 MiB", [Buffer.alloc(3 * 1024 * 1024)]],
    // More than a connection's buffer, less than the TrafficPolicy allows.
    ["of 12 MiB", [Buffer.alloc(12 * 1024 * 1024)]],
    // The refusal arrives while the body still comes.
    ["that comes slowly", Array.from({ length: 5 }, () => Buffer.alloc(100_000))],
  ])("a body %s arrives whole", async (_, parts) => {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(localPort, "/", parts)));
    expect(answers).toEqual(answers.map(() => ({ status: 200, body: String(size), unserved: false })));
  });
});

test("an answer that was not served anywhere is an honest 503 to its caller, without our header", async () => {
  const { status, headers } = await call({ port: aloneLocalPort });
  expect(status).toBe(503);
  expect(Object.keys(headers).filter((name) => name.startsWith("x-hedgerow"))).toEqual([]);
});

test("a server's sidecar says on its own answer that nothing was served", async () => {
  const identity = identityOf(authority, "branch/teller", "teller");
  const { status, headers } = await call({ port: serverPorts[1] ?? 0, identity });
  expect([status, headers["x-hedgerow-unserved"]]).toEqual([503, "1"]);
});

test("an application cannot have requests repeated that it has begun", async () => {
  const identity = identityOf(authority, "branch/teller", "teller");
  const { status, headers } = await call({ port: serverPorts[0] ?? 0, path: "/liar", identity });
  expect([status, headers["x-other"], headers["x-hedgerow-unserved"]]).toEqual([503, "kept", undefined]);
  begun = 0;
  const answers = await Promise.all(Array.from({ length: 20 }, () => call({ port: localPort, path: "/liar" })));
  expect(answers.map((answered) => answered.status)).toEqual(answers.map(() => 503));
  expect(begun).toBe(20);
});

test("a stream that the application refused unseen, as it does when it drains, is tried again", async () => {
  const statuses = [];
  for (let round = 0; round < 20; round++)
    statuses.push((await post(refusingLocalPort, "/", [Buffer.alloc(10)])).status);
  expect(statuses).toEqual(statuses.map(() => 200));
});

test("a gRPC caller gets status 14, and is tried elsewhere first", async () => {
  const grpc = async (port: number) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const stream = session.request({
      ":method": "POST",
      ":path": "/x.Y/Z",
      "content-type": "application/grpc",
      te: "trailers",
    });
    stream.end(Buffer.alloc(5)).resume();
    const [headers] = await once(stream, "response");
    session.destroy();
    return headers as Readonly<Record<string, unknown>>;
  };
  const refused = await grpc(grpcLocalPort);
  expect([refused["grpc-status"], refused["x-hedgerow-unserved"]]).toEqual(["14", undefined]);
  // The living application speaks HTTP/1.1 and no gRPC; that it answers is what counts.
  const answers = await Promise.all(Array.from({ length: 40 }, () => grpc(localPort)));
  expect(answers.filter((headers) => headers["grpc-status"] === "14")).toEqual([]);
});

describe("a connection that is to carry something else", () => {
  /** Sends the head, then `more`; reads until `ended` holds for all that came. */
  const exchange = (head: string, more: string, ended: (text: string) => boolean) =>
    new Promise<string>((resolve, reject) => {
      const socket = tcpConnect(localPort, "127.0.0.1", () => socket.write(`${head}\r\nhost: x\r\n\r\n${more}`));
      let received = "";
      socket.on("data", (part) => {
        received += String(part);
        if (ended(received)) socket.destroy();
      });
      socket.on("close", () => resolve(received));
      socket.on("error", reject);
    });
  const upgrade = (to: string) => `GET /chat HTTP/1.1\r\nconnection: upgrade\r\nupgrade: ${to}`;

  test("is opened for WebSocket", async () => {
    const answered = await exchange(upgrade("websocket"), "hello", (all) => all.endsWith("hello"));
    expect(answered).toMatch(/^HTTP\/1.1 101 .*\r\n\r\nhello$/s);
  });

  test.each([
    ["another upgrade", upgrade("telnet"), 403],
    ["CONNECT", "CONNECT example.org:443 HTTP/1.1", 404],
  ])("is refused for %s", async (_, head, status) => {
    expect(await exchange(head, "", (all) => all.includes("\r\n"))).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});
