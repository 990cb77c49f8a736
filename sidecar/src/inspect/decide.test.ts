import { create } from "@bufbuild/protobuf";
import { InspectionConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { describe, expect, test } from "vitest";
import { decisionRecord, judge, overloaded, type Subject } from "./decide.ts";
import type { ReadResult } from "./decode/read-result.ts";
import { compileRules, type PortRules } from "./rules.ts";

const web = "spiffe://bank.example/ns/shop/sa/web";
const infer: ReadResult = {
  kind: "infer",
  protocol: "rest",
  model: "digits",
  version: undefined,
  id: "",
  inputs: [{ name: "pixels", datatype: "FP32", shape: [1, 2], data: { kind: "bytes", bytes: new Uint8Array(8) } }],
  decoded: new Uint8Array(77),
};

function rules(): PortRules {
  const config = create(InspectionConfigSchema, {
    ports: [
      {
        port: 8080,
        maxRequestBytes: 4096n,
        ledger: "models/all",
        access: [
          { policy: "models/nobody", generation: 4n },
          {
            policy: "models/digits",
            generation: 7n,
            rules: [
              {
                name: "web",
                principals: { matches: [{ match: { case: "exact", value: web } }] },
                paths: { matches: [{ match: { case: "regex", value: "/v2/models/[^/]+/infer" } }] },
              },
              { name: "health", paths: { matches: [{ match: { case: "exact", value: "/v2/health/live" } }] } },
              { name: "none", principals: { matches: [] } },
            ],
          },
        ],
      },
    ],
    ledgers: [{ name: "models/all" }],
  });
  const compiled = compileRules(config);
  const port = compiled.ok ? compiled.value.ports.get(8080) : undefined;
  if (port === undefined) throw new Error("no rules");
  return port;
}

const subject: Subject = { caller: web, method: "POST", path: "/v2/models/digits/infer?x=/v2/health/live" };
const access = { policy: "models/digits", generation: 7, rule: "web" };
const denial = (status: number, reason: string) => ({ kind: "deny", status, reason });

describe("a request", () => {
  test("that a rule allows is allowed, and the rule is named with its generation", () => {
    expect(judge(subject, infer, rules())).toEqual({ kind: "allow", access });
  });

  test.each<[what: string, subject: Subject]>([
    ["of another caller", { ...subject, caller: `${web}-2` }],
    ["without a caller", { ...subject, caller: undefined }],
    ["on another path", { ...subject, path: "/v2/models/digits/infer/" }],
    ["whose query looks like an allowed path", { ...subject, path: "/x?/v2/health/live" }],
  ])("%s is denied by all policies that govern", (_, other) => {
    const governing = { policy: "models/nobody,models/digits" };
    expect(judge(other, infer, rules())).toEqual({ ...denial(403, "access"), access: governing });
  });

  test("that needs no caller is allowed without one", () => {
    const live = { caller: undefined, method: "GET", path: "/v2/health/live" };
    const read = { kind: "other", protocol: "rest", method: "live" } as const;
    expect(judge(live, read, rules()).kind).toBe("allow");
  });

  test.each([
    ["malformed", 400],
    ["too_large", 413],
    ["unsupported", 415],
  ] as const)("that is %s is denied with %i", (reason, status) => {
    const read: ReadResult = { kind: "refused", protocol: "rest", reason, message: "why" };
    expect(judge(subject, read, rules())).toEqual({ ...denial(status, reason), access, message: "why" });
    expect(judge({ ...subject, caller: undefined }, read, rules())).toMatchObject(denial(403, "access"));
  });

  test("that is a stream is denied, since its messages would go past the rules", () => {
    const read = { kind: "other", protocol: "grpc", method: "stream" } as const;
    expect(judge(subject, read, rules())).toMatchObject(denial(501, "stream"));
  });

  test("beyond what can be inspected at once is denied unread", () => {
    expect(overloaded(rules())).toMatchObject(denial(429, "overload"));
  });
});

describe("its record", () => {
  const circumstances = {
    id: "0123456789ABCDEF",
    requestId: "r-1",
    bodyBytes: 80,
    inputDigest: "d",
    repeats: "FEDCBA9876543210",
    payload: "jwe",
  };
  test("says what was asked, by whom and why it was allowed", () => {
    const port = rules();
    expect(decisionRecord(subject, infer, port, judge(subject, infer, port), circumstances)).toEqual({
      type: "decision",
      id: "0123456789ABCDEF",
      request: "r-1",
      caller: web,
      port: 8080,
      protocol: "rest",
      method: "infer",
      model: "digits",
      inputs: [{ name: "pixels", datatype: "FP32", shape: [1, 2] }],
      access,
      verdict: "allow",
      bodyBytes: 80,
      decodedBytes: 77,
      inputDigest: "d",
      payload: "jwe",
      repeats: "FEDCBA9876543210",
    });
  });

  test("of a denial says why, and leaves out what is not known", () => {
    const port = rules();
    const read: ReadResult = { kind: "refused", protocol: "grpc", reason: "malformed", message: "two messages" };
    const absent = { requestId: undefined, inputDigest: undefined, repeats: undefined, payload: undefined };
    const record = decisionRecord(subject, read, port, judge(subject, read, port), { ...circumstances, ...absent });
    expect(record).toEqual({
      type: "decision",
      id: "0123456789ABCDEF",
      caller: web,
      port: 8080,
      protocol: "grpc",
      method: "POST /v2/models/digits/infer",
      access,
      verdict: "deny",
      status: 400,
      reason: "malformed",
      findings: [{ detector: "decode", message: "two messages" }],
      bodyBytes: 80,
    });
  });

  test("is bounded, whatever a caller writes", () => {
    const long = "x".repeat(60_000);
    const port = rules();
    const read: ReadResult = { kind: "other", protocol: "http", method: "http", model: long, version: long };
    const verdict = judge(subject, read, port);
    const at = { ...subject, path: `/${long}` };
    const record = decisionRecord(at, read, port, verdict, { ...circumstances, requestId: long });
    expect(JSON.stringify(record).length).toBeLessThan(4_000);
  });
});

describe("rules", () => {
  test("empty inspects nothing", () => {
    const compiled = compileRules(create(InspectionConfigSchema, {}));
    expect(compiled).toMatchObject({ ok: true, value: { ports: new Map(), ledgers: new Map() } });
  });

  test("tell everything that is wrong at once", () => {
    const config = create(InspectionConfigSchema, {
      ports: [
        { port: 0, maxRequestBytes: 4096n, ledger: "a/b" },
        { port: 9, maxRequestBytes: 1n, ledger: "a/c" },
        {
          port: 9,
          maxRequestBytes: 4096n,
          ledger: "a/b",
          access: [
            {
              policy: "a/p",
              rules: [{ name: "r", principals: { matches: [{ match: { case: "regex", value: "(" } }, {}] } }],
            },
          ],
        },
      ],
      ledgers: [{ name: "a/b" }, { name: "a/b" }, {}],
    });
    const compiled = compileRules(config);
    expect(compiled.ok ? [] : compiled.problems).toEqual([
      "ledger a/b is there twice",
      "a ledger has no name",
      "port 0 is outside 1–65535",
      'port 9: there is no ledger "a/c"',
      "port 9: max_request_bytes 1 is outside 1024–268435456",
      "port 9 is there twice",
      expect.stringContaining("port 9: policy a/p: rule r: Invalid regular expression"),
      "port 9: policy a/p: rule r: a match is of a kind that this agent does not know",
    ]);
  });
});
