import { describe, expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const least = {
  HEDGEROW_ENROLL: "cp.example:15010",
  HEDGEROW_MESH: "[::1]:15012",
  HEDGEROW_TOKEN_FILE: "/etc/hedgerow/token",
  HEDGEROW_RUN: "/run/hedgerow",
};

const pod = {
  HEDGEROW_NODE_ID: "shop/web-0.blue",
  HEDGEROW_TRUST_DOMAIN: "bank.example",
  HEDGEROW_ROOT_DIGESTS: `${"A".repeat(64)}, ${"b".repeat(64)}`,
};

describe("configuration", () => {
  test("empty names every variable that must be set", () => {
    expect(parseConfig({})).toEqual({
      ok: false,
      problems: ["HEDGEROW_ENROLL", "HEDGEROW_MESH", "HEDGEROW_TOKEN_FILE", "HEDGEROW_RUN"].map(
        (name) => `${name} is not set`,
      ),
    });
  });

  test("the least has the documented defaults, and an empty variable is an absent one", () => {
    expect(parseConfig({ ...least, HEDGEROW_APP_METRICS: "" })).toEqual({
      ok: true,
      value: {
        enrollAddress: "cp.example:15010",
        meshAddress: "[::1]:15012",
        enrolment: { kind: "join_token", tokenFile: "/etc/hedgerow/token" },
        runDirectory: "/run/hedgerow",
        envoyBinary: "envoy",
        envoyConcurrency: 2,
        envoyLog: "files",
        metricsListen: { host: "127.0.0.1", port: 15_020 },
        appMetricsUrl: undefined,
        probes: new Map(),
        podIp: undefined,
        auditDirectory: "/run/hedgerow/audit",
        secretsDirectory: undefined,
        inspectBytes: 268_435_456,
        logLevel: "info",
      },
    });
  });

  test("of a pod says who it is and by which roots to know the control plane", () => {
    const parsed = parseConfig({ ...least, ...pod, HEDGEROW_POD_IP: "10.244.0.7", HEDGEROW_ENVOY_LOG: "stdout" });
    expect(parsed).toMatchObject({
      ok: true,
      value: {
        enrolment: {
          kind: "service_account",
          tokenFile: "/etc/hedgerow/token",
          nodeId: "shop/web-0.blue",
          trustDomain: "bank.example",
          rootDigests: new Set(["a".repeat(64), "b".repeat(64)]),
        },
        podIp: "10.244.0.7",
        envoyLog: "stdout",
      },
    });
  });

  test.each(Object.keys(pod))("of a pod without %s is a problem", (name) => {
    expect(parseConfig({ ...least, ...pod, [name]: "" })).toEqual({
      ok: false,
      problems: [`${name} is not set: it belongs with ${Object.keys(pod).join(", ")}`],
    });
  });

  test("all problems are said at once", () => {
    const parsed = parseConfig({ ...pod, HEDGEROW_ENVOY_LOG: "syslog", HEDGEROW_PROBES: '{"/x": {}, "/y": 1}' });
    expect(parsed.ok ? [] : parsed.problems.map((problem) => problem.split(/[ =:]/)[0])).toEqual([
      "HEDGEROW_ENROLL",
      "HEDGEROW_MESH",
      "HEDGEROW_TOKEN_FILE",
      "HEDGEROW_RUN",
      "HEDGEROW_ENVOY_LOG",
      "HEDGEROW_PROBES",
      "HEDGEROW_PROBES",
      "HEDGEROW_PROBES",
      "HEDGEROW_PROBES",
    ]);
  });

  test.each([
    ["a node id without a namespace", { ...pod, HEDGEROW_NODE_ID: "web" }, /^HEDGEROW_NODE_ID="web": .*NAMESPACE\/POD/],
    ["a trust domain in capitals", { ...pod, HEDGEROW_TRUST_DOMAIN: "Bank" }, /^HEDGEROW_TRUST_DOMAIN="Bank"/],
    ["a digest cut short", { ...pod, HEDGEROW_ROOT_DIGESTS: "abc" }, /^HEDGEROW_ROOT_DIGESTS="abc": .* SHA-256/],
    ["a pod IP that is a name", { HEDGEROW_POD_IP: "web" }, /^HEDGEROW_POD_IP="web": expected an IP address/],
    ["an address without a port", { HEDGEROW_MESH: "cp.example" }, /^HEDGEROW_MESH="cp\.example": expected host:port/],
    ["port 0 of a server", { HEDGEROW_ENROLL: "cp:0" }, /^HEDGEROW_ENROLL="cp:0": .*1–65535/],
    ["a relative run directory", { HEDGEROW_RUN: "run" }, /^HEDGEROW_RUN="run": expected an absolute path/],
    [
      "a run directory too long for sockets",
      { HEDGEROW_RUN: `/${"x".repeat(90)}` },
      /absolute path of at most 90 bytes/,
    ],
    ["no workers", { HEDGEROW_ENVOY_CONCURRENCY: "0" }, /^HEDGEROW_ENVOY_CONCURRENCY="0": .*1–128/],
    ["workers that are no number", { HEDGEROW_ENVOY_CONCURRENCY: "two" }, /^HEDGEROW_ENVOY_CONCURRENCY="two": .*1–128/],
    ["application metrics over https", { HEDGEROW_APP_METRICS: "https://x/" }, /expected an http:\/\/ URL/],
    ["an unknown log level", { HEDGEROW_LOG_LEVEL: "loud" }, /expected trace, debug/],
  ])("%s is a problem that names variable and range", (_, change, words) => {
    const parsed = parseConfig({ ...least, ...change });
    expect(parsed).toMatchObject({ ok: false, problems: [expect.stringMatching(words)] });
  });
});
