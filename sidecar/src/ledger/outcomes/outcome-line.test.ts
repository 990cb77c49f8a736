import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { lineKey, readOutcomeLine } from "./outcome-line.ts";

const request = {
  time: "2026-11-24T10:00:00.123Z",
  port: "8080",
  audit: "models/main",
  request_id: "3f2c",
  method: "POST",
  path: "/v2/models/m/infer",
  protocol: "HTTP/2",
  status: 200,
  details: "via_upstream",
  duration_ms: 12,
  bytes_received: 100,
  bytes_sent: 40,
};

describe("a line of Envoy's log", () => {
  test.each([
    ["nothing", ""],
    ["a torn line", '{"time":"2026-11-24T10:00:0'],
    ["no object", "[1]"],
    ["no port", JSON.stringify({ ...request, port: undefined })],
    ["port 0", JSON.stringify({ ...request, port: "0" })],
    ["no time", JSON.stringify({ ...request, time: null })],
    ["a decision that the agent never gave", JSON.stringify({ ...request, decision: "ILOU" })],
  ])("is not read: %s", (_, text) => {
    expect(readOutcomeLine(text)).toBeUndefined();
  });

  test("with a decision is its outcome", () => {
    const line = {
      ...request,
      decision: "7Q3FK2M9D0Z4XN8B",
      upstream: "127.0.0.1:9",
      attempts: 1,
      attempt: "2",
      grpc_status: "OK",
    };
    expect(readOutcomeLine(JSON.stringify(line))).toEqual({
      ledger: "models/main",
      port: 8080,
      kind: "record",
      body: {
        type: "outcome",
        id: "7Q3FK2M9D0Z4XN8B",
        result: "answered",
        status: 200,
        grpcStatus: 0,
        durationMs: 12,
        upstream: "127.0.0.1:9",
        attempts: 1,
        attempt: 2,
        bytesReceived: 100,
        bytesSent: 40,
      },
    });
  });

  test.each([
    ["PermissionDenied", 7],
    ["Unavailable", 14],
    [8, 8],
    ["16", 16],
    ["-", undefined],
    [null, undefined],
    ["Nonsense", undefined],
  ])("gRPC status %s is %s", (written, read) => {
    const line = readOutcomeLine(JSON.stringify({ ...request, decision: "7Q3FK2M9D0Z4XN8B", grpc_status: written }));
    expect(line?.kind === "record" && line.body.type === "outcome" && line.body.grpcStatus).toBe(read);
  });

  test("without a decision is a refusal of Envoy's own", () => {
    const line = {
      ...request,
      status: 403,
      details: "rbac_access_denied_matched_policy[none]",
      peer: "spiffe://b/ns/n/sa/s",
      policy: "models/callers",
    };
    expect(readOutcomeLine(JSON.stringify(line))).toEqual({
      ledger: "models/main",
      port: 8080,
      kind: "record",
      body: {
        type: "refusal",
        request: "3f2c",
        caller: "spiffe://b/ns/n/sa/s",
        port: 8080,
        method: "POST",
        path: "/v2/models/m/infer",
        status: 403,
        details: "rbac_access_denied_matched_policy[none]",
        policy: "models/callers",
        at: "2026-11-24T10:00:00.123Z",
      },
    });
  });

  test("without a decision that the application answered is none, but counted", () => {
    expect(readOutcomeLine(JSON.stringify({ ...request, audit: null, upstream: "127.0.0.1:9" }))).toEqual({
      port: 8080,
      kind: "unrecorded",
      at: request.time,
    });
  });

  test("of a connection says why it failed", () => {
    const line = {
      connection: true,
      time: request.time,
      port: "8080",
      source: "10.0.0.1:5",
      failure: "TLS_error:|268435581",
      flags: "-",
    };
    expect(readOutcomeLine(JSON.stringify(line))).toEqual({
      port: 8080,
      kind: "record",
      body: {
        type: "connection.refused",
        port: 8080,
        source: "10.0.0.1:5",
        failure: "TLS_error:|268435581",
        at: request.time,
      },
    });
  });

  test("writes no more than it should, whatever a caller sends", () => {
    const line = readOutcomeLine(JSON.stringify({ ...request, path: `/${"a".repeat(60_000)}` }));
    expect(JSON.stringify(line).length).toBeLessThan(2_000);
  });

  test("whatever it holds is read or not, and never throws", () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom("-", "8080", "7Q3FK2M9D0Z4XN8B", true, request.time));
    const keys = fc.constantFrom(
      ...Object.keys(request),
      "decision",
      "connection",
      "upstream",
      "grpc_status",
      "attempt",
    );
    const keyOf = (fields: object) => {
      const line = readOutcomeLine(JSON.stringify({ ...request, ...fields }));
      return line?.kind === "record" ? typeof lineKey(line.body) : "none";
    };
    const read = fc.property(fc.dictionary(keys, value), (fields) => ["string", "none"].includes(keyOf(fields)));
    expect(fc.check(read).failed).toBe(false);
  });
});

test("a key tells a line from every other, and is the same for its record", () => {
  const key = (fields: object) => {
    const line = readOutcomeLine(JSON.stringify({ ...request, status: 403, ...fields }));
    return line?.kind === "record" ? lineKey(line.body) : undefined;
  };
  expect(key({})).toBe(key({}));
  expect(
    new Set([{}, { request_id: "4" }, { path: "/x" }, { port: "81" }, { time: "2026-11-24T10:00:00.124Z" }].map(key))
      .size,
  ).toBe(5);
  expect(lineKey({ type: "outcome", id: "7Q3FK2M9D0Z4XN8B", result: "unknown" })).toBeUndefined();
});
