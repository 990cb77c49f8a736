import { expect, test } from "vitest";
import type { Protocol } from "./decode/read-result.ts";
import { type Answer, allowed, type DenialStatus, denied } from "./refusal.ts";

const decision = "0123456789ABCDEF";
const message = `refused: ${decision}`;

function headersOf({ headers }: Answer): Readonly<Record<string, string>> {
  const pairs = headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1] ?? ""] as const] : []));
  return Object.fromEntries(pairs);
}

const statuses: readonly DenialStatus[] = [400, 403, 413, 415, 429, 501, 503];
const refuse = (protocol: Protocol, status: DenialStatus, contentType = "") => {
  const answer = denied({ decision, status, protocol, contentType });
  const headers = headersOf(answer);
  // As Envoy gives it to the caller.
  const seen = Number(headers["x-hedgerow-status"] ?? answer.status);
  expect(headers["x-hedgerow-decision"]).toBe(decision);
  expect(headers["content-length"]).toBe(String(Buffer.byteLength(answer.body)));
  // Never what Envoy takes for "allow" or for a check that failed.
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(headers["retry-after"]).toBe(status === 429 ? "1" : undefined);
  return { ...answer, headers, seen, text: answer.body.toString() };
};

test("an allowed request has its id and no body", () => {
  const answer = allowed(decision);
  expect(answer.status).toBe(200);
  expect(headersOf(answer)).toEqual({ "x-hedgerow-decision": decision, "content-length": "0" });
});

test.each(statuses)("REST: %i with an error and nothing else", (status) => {
  for (const protocol of ["rest", "http"] as const) {
    const { seen, headers, text } = refuse(protocol, status, "application/json");
    expect(seen).toBe(status);
    expect(headers["content-type"]).toBe("application/json");
    expect(JSON.parse(text)).toEqual({ error: message });
  }
});

test.each([
  [400, 3],
  [403, 7],
  [413, 8],
  [415, 12],
  [429, 8],
  [501, 12],
  [503, 14],
] as const)("gRPC: %i is status %i", (status, code) => {
  const { headers, text } = refuse("grpc", status, "application/grpc");
  expect(text).toBe(message);
  expect(headers["grpc-status"]).toBe(String(code));
  expect(headers["grpc-retry-pushback-ms"]).toBe(status === 429 ? "1000" : undefined);
  expect(headers["x-hedgerow-unserved"]).toBe(status === 503 ? "1" : undefined);

  const web = refuse("grpc-web", status, "application/grpc-web+proto");
  expect(web.seen).toBe(200);
  expect(web.headers["content-type"]).toBe("application/grpc-web+proto");
  const frame = Buffer.from(web.body);
  expect([frame[0], frame.readUInt32BE(1)]).toEqual([0x80, frame.length - 5]);
  const trailers = frame.toString("latin1", 5).split("\r\n");
  expect(trailers.slice(0, 2)).toEqual([`grpc-status: ${code}`, `grpc-message: ${message}`]);

  const asText = refuse("grpc-web", status, "application/grpc-web-text; charset=utf-8");
  expect(asText.seen).toBe(200);
  expect(asText.headers["content-type"]).toBe("application/grpc-web-text");
  expect(Buffer.from(asText.text, "base64").toString("latin1", 5)).toContain(`grpc-status: ${code}\r\n`);
});

test.each([
  [400, "invalid_argument"],
  [403, "permission_denied"],
  [413, "resource_exhausted"],
  [415, "unimplemented"],
  [429, "resource_exhausted"],
  [501, "unimplemented"],
  [503, "unavailable"],
] as const)("Connect: %i is %s", (status, code) => {
  for (const contentType of ["application/json", "application/proto", ""]) {
    const { seen, headers, text } = refuse("connect", status, contentType);
    expect(seen).toBe(status);
    expect(headers["content-type"]).toBe("application/json");
    expect(JSON.parse(text)).toEqual({ code, message });
  }
  const stream = refuse("connect", status, "application/connect+proto");
  expect(stream.seen).toBe(200);
  expect(stream.headers["content-type"]).toBe("application/connect+proto");
  const frame = Buffer.from(stream.body);
  expect([frame[0], frame.readUInt32BE(1)]).toEqual([0x02, frame.length - 5]);
  expect(JSON.parse(frame.toString("utf8", 5))).toEqual({ error: { code, message } });
});

test("of the caller's content type nothing comes back that could break a header", () => {
  const { headers } = refuse("grpc-web", 403, 'application/grpc-web+"\r\nx: y');
  expect(headers["content-type"]).toBe("application/grpc-web+");
});
