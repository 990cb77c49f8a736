import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseProbes } from "./settings.ts";

const at = "/app-health/app/readyz";
const parse = (entry: unknown, path = at) => parseProbes(JSON.stringify({ [path]: entry }));

describe("probes of the application", () => {
  test("empty are none", () => {
    expect(parseProbes("{}")).toEqual({ ok: true, value: new Map() });
  });

  test.each([
    [
      "httpGet with the least",
      { httpGet: { port: 8080 } },
      { kind: "http_get", scheme: "http", host: undefined, port: 8080, path: "/", headers: [] },
    ],
    [
      "httpGet with all",
      {
        httpGet: {
          port: 8443,
          path: "healthz?full=1",
          scheme: "HTTPS",
          host: "10.0.0.9",
          httpHeaders: [{ name: "Host", value: "shop" }],
        },
      },
      {
        kind: "http_get",
        scheme: "https",
        host: "10.0.0.9",
        port: 8443,
        path: "/healthz?full=1",
        headers: [{ name: "Host", value: "shop" }],
      },
    ],
    ["tcpSocket", { tcpSocket: { port: 5432 } }, { kind: "tcp_socket", host: undefined, port: 5432 }],
    ["grpc", { grpc: { port: 9000 } }, { kind: "grpc", port: 9000, service: "" }],
    ["grpc of a service", { grpc: { port: 9000, service: "a.B" } }, { kind: "grpc", port: 9000, service: "a.B" }],
  ])("%s are read", (_, entry, handler) => {
    expect(parse(entry)).toEqual({ ok: true, value: new Map([[at, { handler, timeoutMs: 1_000, hook: false }]]) });
  });

  test("a hook has the longest time unless it names one", () => {
    const path = "/app-health/app/prestop";
    const hook = (timeoutSeconds?: number) => parse({ httpGet: { port: 1 }, timeoutSeconds }, path);
    const expected = (timeoutMs: number) => new Map([[path, expect.objectContaining({ timeoutMs, hook: true })]]);
    expect(hook()).toEqual({ ok: true, value: expected(3_600_000) });
    expect(hook(30)).toEqual({ ok: true, value: expected(30_000) });
  });

  test.each([
    ["no JSON", "{", ["expected JSON"]],
    ["a list", "[]", ["expected an object"]],
    ["too much", `"${"x".repeat(300_000)}"`, ["expected at most 262144 bytes"]],
    [
      "everything at once",
      JSON.stringify({
        "/metrics": { tcpSocket: { port: 1 } },
        "/app-health/A/readyz": { tcpSocket: { port: 1 } },
        "/app-health/a/livez": { tcpSocket: { port: 0 }, timeoutSeconds: 0 },
        "/app-health/b/livez": {},
        "/app-health/c/livez": { tcpSocket: { port: 1 }, grpc: { port: 1 } },
        "/app-health/d/livez": { httpGet: { port: 1, scheme: "ftp" } },
        "/app-health/e/livez": { httpGet: { port: 1, httpHeaders: [{ name: "x" }] } },
        "/app-health/f/livez": { grpc: { port: "health" } },
        "/app-health/g/livez": null,
      }),
      [
        '"/metrics": expected the path /app-health/CONTAINER/KIND',
        '"/app-health/A/readyz": expected the path /app-health/CONTAINER/KIND',
        '"/app-health/a/livez": timeoutSeconds: expected a whole number in 1–3600',
        '"/app-health/a/livez": tcpSocket.port: expected a whole number in 1–65535',
        '"/app-health/b/livez": expected one of httpGet, tcpSocket, grpc',
        '"/app-health/c/livez": expected one of httpGet, tcpSocket, grpc',
        '"/app-health/d/livez": httpGet.scheme: expected HTTP or HTTPS',
        '"/app-health/e/livez": httpGet.httpHeaders: expected at most 64 of {name, value}',
        '"/app-health/f/livez": grpc.port: expected a whole number in 1–65535',
        '"/app-health/g/livez": expected an object',
      ],
    ],
  ])("with %s are refused, with all problems", (_, text, problems) => {
    expect(parseProbes(text)).toEqual({ ok: false, problems });
  });

  test("no text makes the decoder throw", () => {
    const handler = fc.record(
      { httpGet: fc.anything(), tcpSocket: fc.anything(), grpc: fc.anything(), timeoutSeconds: fc.anything() },
      { requiredKeys: [] },
    );
    const texts = fc.oneof(
      fc.string(),
      fc.dictionary(fc.constant(at), handler).map((value) => JSON.stringify(value)),
    );
    expect.assertions(0);
    fc.assert(fc.property(texts, (text) => typeof parseProbes(text).ok === "boolean"));
  });
});
