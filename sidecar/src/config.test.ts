import { describe, expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const least = {
  HEDGEROW_ENROLL: "cp.example:15010",
  HEDGEROW_MESH: "[::1]:15012",
  HEDGEROW_TOKEN_FILE: "/etc/hedgerow/token",
  HEDGEROW_RUN: "/run/hedgerow",
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
        tokenFile: "/etc/hedgerow/token",
        runDirectory: "/run/hedgerow",
        envoyBinary: "envoy",
        envoyConcurrency: 2,
        metricsListen: { host: "127.0.0.1", port: 15_020 },
        appMetricsUrl: undefined,
        logLevel: "info",
      },
    });
  });

  test.each([
    ["an address without a port", { HEDGEROW_MESH: "cp.example" }, /^HEDGEROW_MESH="cp\.example": expected host:port/],
    ["port 0 of a server", { HEDGEROW_ENROLL: "cp:0" }, /^HEDGEROW_ENROLL="cp:0": .*1–65535/],
    ["a relative run directory", { HEDGEROW_RUN: "run" }, /^HEDGEROW_RUN="run": expected an absolute path/],
    ["a run directory too long for sockets", { HEDGEROW_RUN: `/${"x".repeat(90)}` }, /expected at most 90 bytes/],
    ["no workers", { HEDGEROW_ENVOY_CONCURRENCY: "0" }, /^HEDGEROW_ENVOY_CONCURRENCY="0": .*1–128/],
    ["workers that are no number", { HEDGEROW_ENVOY_CONCURRENCY: "two" }, /^HEDGEROW_ENVOY_CONCURRENCY="two": .*1–128/],
    ["application metrics over https", { HEDGEROW_APP_METRICS: "https://x/" }, /expected an http:\/\/ URL/],
    ["an unknown log level", { HEDGEROW_LOG_LEVEL: "loud" }, /expected trace, debug/],
  ])("%s is a problem that names variable and range", (_, change, words) => {
    const parsed = parseConfig({ ...least, ...change });
    expect(parsed).toMatchObject({ ok: false, problems: [expect.stringMatching(words)] });
  });
});
