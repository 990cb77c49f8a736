import { hash } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { AuditLedgerSchema, FailMode, InspectionConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MemoryRecorder } from "../../test/memory-recorder.ts";
import { until } from "../../test/until.ts";
import { decisionIds } from "./decision-id.ts";
import { Inspector } from "./inspector.ts";
import { allowed } from "./refusal.ts";
import { compileRules } from "./rules.ts";
import { InspectServer, type Question } from "./server.ts";

const logger = pino({ level: "silent" });
const WEB = "spiffe://bank.example/ns/shop/sa/web";
const MAX_BYTES = 2048;
const BUDGET = 8192;
const INFER = "/8080/v2/models/digits/infer";
const BODY = JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [2], data: [1, 2] }] });
const certificate = { "x-forwarded-client-cert": `Hash=a;URI=${WEB}` };

let directory: string;
let socketPath: string;
let recorder: MemoryRecorder;
let server: InspectServer;
let inspector: Inspector;
let recorderThere: boolean;
let failMode: "closed" | "open";

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-inspect-"));
  socketPath = join(directory, "inspect.sock");
  recorder = new MemoryRecorder(create(AuditLedgerSchema, { name: "shop/all", failMode: FailMode.CLOSED }));
  recorderThere = true;
  failMode = "closed";
  const principals = { matches: [{ match: { case: "exact" as const, value: WEB } }] };
  const access = [{ policy: "shop/web", generation: 3n, rules: [{ name: "web", principals }] }];
  const ports = [{ port: 8080, maxRequestBytes: BigInt(MAX_BYTES), ledger: "shop/all", access }];
  const compiled = compileRules(create(InspectionConfigSchema, { ports, ledgers: [{ name: "shop/all" }] }));
  if (!compiled.ok) throw new Error(compiled.problems.join());
  inspector = new Inspector({
    portOf: (port) => {
      const rules = compiled.value.ports.get(port);
      return rules && { rules, recorder: recorderThere ? recorder : undefined, failMode };
    },
    drawId: decisionIds(),
    now: () => 0,
    logger,
  });
  server = new InspectServer({ socketPath, maxBytes: BUDGET, answerer: inspector, logger, watchMs: 20 });
  await server.start();
});
afterEach(() => {
  server.stop();
  rmSync(directory, { recursive: true });
});

interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
}

async function ask(path: string, { method = "POST", headers = certificate, body = BODY, agent }: Asked = {}) {
  const { promise, resolve, reject } = Promise.withResolvers<Answered>();
  const call = request({ socketPath, path, method, headers, agent: agent ?? false }, (answer) => {
    let text = "";
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      text += chunk;
    });
    answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
  });
  call.on("error", reject);
  call.end(body);
  return await promise;
}

describe("a request", () => {
  test("is answered once it is recorded, under the id that it is recorded by", async () => {
    const { status, headers, body } = await ask(INFER, { headers: { ...certificate, "x-request-id": "r-1" } });
    expect([status, body]).toEqual([200, ""]);
    expect(recorder.records).toMatchObject([
      {
        type: "decision",
        id: headers["x-hedgerow-decision"],
        request: "r-1",
        caller: WEB,
        port: 8080,
        protocol: "rest",
        method: "infer",
        model: "digits",
        access: { policy: "shop/web", generation: 3, rule: "web" },
        verdict: "allow",
        bodyBytes: BODY.length,
        decodedBytes: BODY.length,
      },
    ]);
    expect(inspector.counts).toEqual({ allowed: 1, denied: 0, failures: 0 });
  });

  test("without a body is looked at without one", async () => {
    expect((await ask("/8080/v2/health/live", { method: "GET", body: "" })).status).toBe(200);
    expect(recorder.records).toMatchObject([{ method: "live", bodyBytes: 0 }]);
  });

  test("of a caller that no policy allows is refused and recorded", async () => {
    const { status, headers, body } = await ask(INFER, { headers: {} });
    const id = String(headers["x-hedgerow-decision"]);
    expect([status, JSON.parse(body)]).toEqual([403, { error: `refused: ${id}` }]);
    expect(recorder.records).toMatchObject([{ id, verdict: "deny", status: 403, reason: "access" }]);
  });

  test("of a port that is not known is a check that failed", async () => {
    expect((await ask("/9090/v2/health/live")).status).toBe(500);
    expect((await ask("/no/port")).status).toBe(500);
    expect(inspector.counts.failures).toBe(2);
  });

  test("over the limit is refused, however it comes, up to the last byte", async () => {
    const padded = (length: number) => BODY + " ".repeat(length - BODY.length);
    expect((await ask(INFER, { body: padded(MAX_BYTES) })).status).toBe(200);
    expect((await ask(INFER, { body: padded(MAX_BYTES + 1) })).status).toBe(413);
    const chunked = { ...certificate, "transfer-encoding": "chunked" };
    expect((await ask(INFER, { body: padded(MAX_BYTES), headers: chunked })).status).toBe(200);
    expect((await ask(INFER, { body: padded(100 * MAX_BYTES), headers: chunked })).status).toBe(413);
    expect(recorder.records.filter((record) => "reason" in record && record.reason === "too_large")).toHaveLength(2);
    expect(server.bytes).toBe(0);
  });

  test("that comes again within a minute is recorded as a repetition", async () => {
    const headers = { ...certificate, "x-request-id": "r-1" };
    const first = await ask(INFER, { headers });
    await ask(INFER, { headers });
    await ask(INFER, { headers, body: BODY.replace("1", "3") });
    // Of REST the model is in the path alone.
    await ask(INFER.replace("digits", "other"), { headers });
    await ask(INFER.replace("digits", "digits/versions/2"), { headers });
    expect(recorder.records.map((record) => "repeats" in record && record.repeats)).toEqual([
      false,
      first.headers["x-hedgerow-decision"],
      false,
      false,
      false,
    ]);
  });

  test("beyond the bytes that are looked at at once is refused unread, and recorded", async () => {
    const open = Array.from({ length: 3 }, () => connect(socketPath));
    for (const socket of open) socket.write(`POST ${INFER} HTTP/1.1\r\nhost: a\r\ncontent-length: 4000\r\n\r\n{`);
    await until("they are being read", () => server.bytes > 6_000);
    const { status, headers } = await ask(INFER, { body: BODY.padEnd(MAX_BYTES) });
    expect([status, headers["retry-after"]]).toEqual([429, "1"]);
    expect(recorder.records).toMatchObject([{ verdict: "deny", status: 429, reason: "overload", protocol: "rest" }]);
    for (const socket of open) socket.destroy();
    await until("they are let go", () => server.bytes === 0);
    expect((await ask(INFER)).status).toBe(200);
    // Whoever stopped waiting has no record.
    expect(recorder.records).toHaveLength(2);
  });
});

test("large bodies share memory, and none sees another's", async () => {
  const seen: string[] = [];
  const answerer = {
    maxRequestBytes: () => 1_000_000,
    answer: async ({ body }: Question) => {
      // Another body comes meanwhile.
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(`${body.length} ${hash("sha256", body)}`);
      return allowed("0123456789ABCDEF");
    },
  };
  const large = new InspectServer({ socketPath: `${socketPath}2`, maxBytes: 100_000_000, answerer, logger });
  await large.start();
  const bodies = Array.from({ length: 40 }, (_, at) => String(at).padEnd(70_000 + at * 10_000, `${at}.`));
  const given = socketPath;
  socketPath = `${socketPath}2`;
  await Promise.all(bodies.map(async (body) => await ask(INFER, { body })));
  socketPath = given;
  large.stop();
  expect(seen.toSorted()).toEqual(bodies.map((body) => `${body.length} ${hash("sha256", body)}`).toSorted());
});

test("large bodies leave no memory behind for the collector", async () => {
  const answerer = { maxRequestBytes: () => 1_000_000, answer: () => allowed("0123456789ABCDEF") };
  const large = new InspectServer({ socketPath: `${socketPath}2`, maxBytes: 100_000_000, answerer, logger });
  await large.start();
  const given = socketPath;
  socketPath = `${socketPath}2`;
  const body = "x".repeat(600_000);
  await ask(INFER, { body });
  const before = process.memoryUsage().arrayBuffers;
  let most = before;
  for (let count = 0; count < 20; count++) {
    await ask(INFER, { body });
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }
  socketPath = given;
  large.stop();
  expect(most - before).toBeLessThan(600_000);
});

describe("where a record can't be written", () => {
  test.each(["disk_full", "no ledger"])("closed: 503 with an id, that no record has: %s", async (why) => {
    recorder.failure = why;
    recorderThere = why !== "no ledger";
    const { status, headers, body } = await ask(INFER);
    expect([status, headers["x-hedgerow-status"]]).toEqual([403, "503"]);
    expect(JSON.parse(body)).toEqual({ error: `refused: ${String(headers["x-hedgerow-decision"])}` });
    expect(recorder.misses).toEqual([]);
    expect(inspector.counts.failures).toBe(1);
  });

  test("open: through, and counted; but what is forbidden stays forbidden", async () => {
    recorder.failure = "disk_full";
    failMode = "open";
    expect((await ask(INFER)).status).toBe(200);
    expect((await ask(INFER, { headers: {} })).status).toBe(403);
    expect((await ask(INFER, { body: "{" })).status).toBe(400);
    expect(recorder.misses).toEqual(["disk_full", "disk_full", "disk_full"]);
  });

  test("a second attempt does not point to a first one that was never recorded", async () => {
    const headers = { ...certificate, "x-request-id": "r-1" };
    recorder.failure = "disk_full";
    await ask(INFER, { headers });
    recorder.failure = undefined;
    await ask(INFER, { headers });
    expect(recorder.records).toHaveLength(1);
    expect(recorder.records[0]).not.toHaveProperty("repeats");
  });
});

describe("the socket", () => {
  test("is the owner's alone", () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  test("is made again when it is gone, and connections that are open go on", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await ask(INFER, { agent })).status).toBe(200);
    rmSync(socketPath);
    await until("it is back", () => existsSync(socketPath));
    expect((await ask(INFER, { agent })).status).toBe(200);
    expect((await ask(INFER)).status).toBe(200);
    agent.destroy();
  });

  test("takes the place of one that an agent left behind", async () => {
    const next = new InspectServer({ socketPath, maxBytes: BUDGET, answerer: inspector, logger });
    await next.start();
    expect((await ask(INFER)).status).toBe(200);
    next.stop();
  });

  test.each([
    ["anything else", "\x16\x03\x01 hello\r\n\r\n"],
    // Envoy passes on what comes over HTTP/2.
    ["a method that nobody knows", `FOO ${INFER} HTTP/1.1\r\nhost: a\r\n\r\n`],
  ])("says no to %s, keeps no connection, and goes on", async (_, sent) => {
    const socket = connect(socketPath);
    let answer = "";
    socket.on("data", (part) => {
      answer += String(part);
    });
    socket.write(sent);
    await new Promise((resolve) => socket.once("close", resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((await ask(INFER)).status).toBe(200);
  });
});
