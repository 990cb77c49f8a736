import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTls } from "node:https";
import { type AddressInfo, createServer as createTcp } from "node:net";
import { Server as GrpcServer, ServerCredentials, status } from "@grpc/grpc-js";
import { grpcService } from "@hedgerow/proto";
import { Health, HealthCheckResponse_ServingStatus } from "@hedgerow/proto/grpc/health/v1/health";
import { pino } from "pino";
import { afterEach, describe, expect, test } from "vitest";
import { TestCa } from "../../test/test-ca.ts";
import { until } from "../../test/until.ts";
import { freePort } from "../../test/workload.ts";
import { Prober } from "./prober.ts";
import { type Probe, parseProbes } from "./settings.ts";

const AT = "/app-health/app/readyz";
const HOOK = "/app-health/app/prestop";
const silent = pino({ level: "silent" });
const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

async function listening<S extends Server | ReturnType<typeof createTcp>>(
  server: S,
  host = "127.0.0.1",
): Promise<number> {
  server.listen(0, host);
  await once(server, "listening");
  undo.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

function prober(entry: object, { path = AT, podIp }: { path?: string; podIp?: string } = {}): Prober {
  const parsed = parseProbes(JSON.stringify({ [path]: entry }));
  expect(parsed).toMatchObject({ ok: true });
  const probes = parsed.ok ? parsed.value : new Map<string, Probe>();
  return new Prober({ probes, podIp, logger: silent });
}

const ask = async (entry: object, options: { path?: string; podIp?: string } = {}) =>
  await prober(entry, options).ask(options.path ?? AT, "kube-probe/1.36");

test("a path that was not set has no answer", async () => {
  const one = prober({ tcpSocket: { port: 1 } });
  expect(one.timeoutMs("/app-health/other/readyz")).toBeUndefined();
  expect(await one.ask("/app-health/other/readyz", "")).toBeUndefined();
  expect(one.timeoutMs(AT)).toBe(1_000);
});

describe("httpGet", () => {
  test.each([
    [200, 200],
    [204, 200],
    [399, 200],
    [400, 400],
    [404, 404],
    [503, 503],
  ])("an application that answers %i is told as %i", async (statusCode, told) => {
    const port = await listening(createServer((_, response) => response.writeHead(statusCode).end()));
    expect(await ask({ httpGet: { port } })).toMatchObject({ kind: "status", statusCode: told });
  });

  test("asks as the kubelet does: headers, path with its query, a new connection each time", async () => {
    const seen: { url: string | undefined; headers: unknown }[] = [];
    const port = await listening(
      createServer(({ url, headers }, response) => {
        seen.push({ url, headers });
        response.end();
      }),
    );
    const httpHeaders = [
      { name: "Host", value: "shop.example" },
      { name: "X-Twice", value: "1" },
      { name: "x-twice", value: "2" },
      { name: "Accept", value: "" },
    ];
    await ask({ httpGet: { port, path: "/a b?c=d", httpHeaders } });
    await ask({ httpGet: { port, httpHeaders: [{ name: "User-Agent", value: "mine" }] } });
    expect(seen).toEqual([
      {
        url: "/a%20b?c=d",
        headers: { host: "shop.example", "x-twice": "1, 2", "user-agent": "kube-probe/1.36", connection: "close" },
      },
      { url: "/", headers: { accept: "*/*", host: `127.0.0.1:${port}`, "user-agent": "mine", connection: "close" } },
    ]);
  });

  test("does not verify TLS", async () => {
    const { key, chain } = new TestCa("bank.example").server("spiffe://bank.example/x");
    const port = await listening(createTls({ key, cert: chain }, (_, response) => response.end()));
    expect(await ask({ httpGet: { port, scheme: "HTTPS" } })).toMatchObject({ statusCode: 200 });
  });

  test.each([
    ["on the host is followed", () => "/well", 200],
    ["on the host, by its name, is followed", (port: number) => `http://127.0.0.1:${port}/sick`, 500],
    ["to another host is well as it is", () => "http://other.example/sick", 200],
    ["to nowhere is well as it is", () => "", 200],
    ["without an end is not", () => "/round", 503],
  ])("a redirect %s", async (_, location, told) => {
    const server = createServer(({ url }, response) => {
      if (url === "/well") response.end();
      else if (url === "/sick") response.writeHead(500).end();
      else if (url === "/round") response.writeHead(302, { location: "/round" }).end();
      else response.writeHead(302, { location: location(port) }).end();
    });
    const port = await listening(server);
    expect(await ask({ httpGet: { port } })).toMatchObject({ kind: "status", statusCode: told });
  });

  test("no more is read of a body than the kubelet reads", async () => {
    let written = 0;
    const server = createServer((_, response) => {
      const more = () => {
        written += 16_384;
        if (!response.destroyed) response.write("x".repeat(16_384), more);
      };
      more();
    });
    const port = await listening(server);
    expect(await ask({ httpGet: { port } })).toMatchObject({ statusCode: 200 });
    expect(written).toBeLessThan(16 * 1024 * 1024);
  });

  test.each([
    ["refuses", async () => await freePort()],
    ["says nothing within the time", async () => await listening(createTcp(() => undefined))],
    ["breaks off", async () => await listening(createTcp((socket) => socket.destroy()))],
    ["speaks no HTTP", async () => await listening(createTcp((socket) => socket.end("hello\r\n")))],
  ])("an application that %s is unwell, and as a hook leaves no answer", async (_, start) => {
    const httpGet = { port: await start() };
    expect(await ask({ httpGet })).toMatchObject({ kind: "status", statusCode: 503 });
    expect(await ask({ httpGet, timeoutSeconds: 1 }, { path: HOOK })).toEqual({ kind: "silent" });
  });

  test("a header that can't be sent makes the application unwell, not the agent", async () => {
    const port = await listening(createServer((_, response) => response.end()));
    const httpHeaders = [{ name: "x", value: "a\r\nb: c" }];
    expect(await ask({ httpGet: { port, httpHeaders } })).toMatchObject({ kind: "status", statusCode: 503 });
  });

  test("any answer to a hook will do", async () => {
    const port = await listening(createServer((_, response) => response.writeHead(500).end()));
    expect(await ask({ httpGet: { port } }, { path: HOOK })).toMatchObject({ kind: "status", statusCode: 200 });
  });

  test("the pod's own address is asked from where nothing is captured", async () => {
    const sources: (string | undefined)[] = [];
    const server = createServer(({ socket }, response) => {
      sources.push(socket.remoteAddress);
      response.end();
    });
    const port = await listening(server, "127.0.0.9");
    expect(await ask({ httpGet: { port } }, { podIp: "127.0.0.9" })).toMatchObject({ statusCode: 200 });
    // Named by the pod's author: as it is.
    expect(await ask({ httpGet: { port, host: "127.0.0.9" } })).toMatchObject({ statusCode: 200 });
    expect(sources).toEqual(["127.0.0.6", expect.stringMatching(/^127\.0\.0\.(1|9)$/)]);
  });

  test("however many ask at once, the application is asked once", async () => {
    let asked = 0;
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    const server = createServer((_, response) => {
      asked += 1;
      void released.then(() => response.end());
    });
    const one = prober({ httpGet: { port: await listening(server) }, timeoutSeconds: 10 });
    const crowd = Array.from({ length: 200 }, async () => await one.ask(AT, "kube-probe"));
    await until("it was asked", () => asked > 0);
    release(undefined);
    for (const answer of await Promise.all(crowd)) expect(answer).toMatchObject({ statusCode: 200 });
    expect(asked).toBe(1);
    expect(await one.ask(AT, "kube-probe")).toMatchObject({ statusCode: 200 });
    expect(asked).toBe(2);
  });
});

test("tcpSocket is well while connections are accepted", async () => {
  const port = await listening(createTcp((socket) => socket.on("error", () => undefined)));
  expect(await ask({ tcpSocket: { port } })).toMatchObject({ statusCode: 200 });
  expect(await ask({ tcpSocket: { port: await freePort() } })).toMatchObject({ statusCode: 503 });
});

describe("grpc", () => {
  async function health(): Promise<number> {
    const server = new GrpcServer();
    const answers: Readonly<Record<string, HealthCheckResponse_ServingStatus>> = {
      "": HealthCheckResponse_ServingStatus.SERVING,
      sick: HealthCheckResponse_ServingStatus.NOT_SERVING,
    };
    server.addService(
      ...grpcService(Health, {
        check: ({ request }, callback) => {
          const answer = answers[request.service];
          if (answer === undefined) callback({ code: status.NOT_FOUND, details: "no such service" });
          else callback(null, { status: answer });
        },
        watch: (call) => call.end(),
      }),
    );
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
    undo.push(() => server.forceShutdown());
    return await promise;
  }

  test.each([
    ["", 200, "serving status 1"],
    ["sick", 503, "serving status 2"],
    ["unknown", 503, "grpc status 5"],
  ])("service %j is told as %i", async (service, statusCode, words) => {
    const port = await health();
    const answer = await ask({ grpc: { port, service } });
    expect(answer).toMatchObject({ statusCode, words: expect.stringContaining(words) });
  });

  test.each([
    ["refuses", async () => await freePort()],
    ["says nothing within the time", async () => await listening(createTcp(() => undefined))],
    ["breaks off", async () => await listening(createTcp((socket) => socket.destroy()))],
    ["speaks HTTP/1.1 alone", async () => await listening(createServer((_, response) => response.end()))],
  ])("an application that %s is unwell", async (_, start) => {
    expect(await ask({ grpc: { port: await start() } })).toMatchObject({ kind: "status", statusCode: 503 });
  });
});
