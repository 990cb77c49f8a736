import { describe, expect, test } from "vitest";
import { parseConfig } from "./config.ts";

describe("parseConfig", () => {
  test("empty environment: the models are missing, nothing else", () => {
    const result = parseConfig({}, 8);
    expect(result.ok ? [] : result.problems.map((problem) => problem.variable)).toEqual(["HEDGEROW_MODELS"]);
  });

  test.each([
    [1, 1],
    [2, 2],
    [64, 4],
  ])("defaults on %i cores: %i workers", (cores, workers) => {
    expect(parseConfig({ HEDGEROW_MODELS: "/m", HEDGEROW_LOG_LEVEL: "", HEDGEROW_LISTEN: "" }, cores)).toEqual({
      ok: true,
      value: {
        modelsDir: "/m",
        listen: { host: "127.0.0.1", port: 8080 },
        metricsListen: { host: "127.0.0.1", port: 9090 },
        workers,
        maxRequestBytes: 4 * 1024 * 1024,
        drainSeconds: 10,
        logLevel: "info",
      },
    });
  });

  test("IPv6 and free ports", () => {
    const result = parseConfig({ HEDGEROW_MODELS: "/m", HEDGEROW_LISTEN: "[::1]:0" }, 1);
    expect(result.ok && result.value.listen).toEqual({ host: "::1", port: 0 });
  });

  test.each([
    ["HEDGEROW_LISTEN", "8080"],
    ["HEDGEROW_METRICS_LISTEN", "localhost:65536"],
    ["HEDGEROW_WORKERS", "0"],
    ["HEDGEROW_WORKERS", "2.5"],
    ["HEDGEROW_MAX_REQUEST_BYTES", "1023"],
    ["HEDGEROW_MAX_REQUEST_BYTES", "4MiB"],
    ["HEDGEROW_DRAIN_SECONDS", "3601"],
    ["HEDGEROW_LOG_LEVEL", "loud"],
  ])("%s=%s is refused by name and value, beside every other problem", (variable, value) => {
    const result = parseConfig({ [variable]: value }, 1);
    expect(result.ok ? [] : result.problems.map((problem) => [problem.variable, problem.value])).toContainEqual([
      variable,
      value,
    ]);
    expect(result.ok ? [] : result.problems).toHaveLength(2);
  });
});
