import { describe, expect, test } from "vitest";
import { parseConfig, parseListenAddress } from "./config.ts";

const required = { HEDGEROW_MANIFESTS: "/m", HEDGEROW_STATE: "/s" };

describe("parseConfig", () => {
  test("empty environment: both directories are missing, nothing else", () => {
    const result = parseConfig({});
    expect(result.ok ? [] : result.problems.map((problem) => problem.variable)).toEqual([
      "HEDGEROW_MANIFESTS",
      "HEDGEROW_STATE",
    ]);
  });

  test("defaults", () => {
    expect(parseConfig({ ...required, HEDGEROW_LOG_LEVEL: "" })).toEqual({
      ok: true,
      value: {
        source: { kind: "directory", manifestsDir: "/m" },
        stateDir: "/s",
        auditDir: "/s/audit",
        enrollListen: { host: "0.0.0.0", port: 15010 },
        meshListen: { host: "0.0.0.0", port: 15012 },
        adminSocket: "/s/admin.sock",
        adminListen: undefined,
        metricsListen: { host: "127.0.0.1", port: 15014 },
        logLevel: "info",
      },
    });
  });

  test("Kubernetes in place of a directory", () => {
    const env = { HEDGEROW_KUBERNETES: "in-cluster", HEDGEROW_STATE: "/s", HEDGEROW_SIDECAR_IMAGE: "sidecar:1" };
    const result = parseConfig(env);
    expect(result.ok && result.value.source).toEqual({
      kind: "kubernetes",
      access: "in-cluster",
      podName: undefined,
      podNamespace: "hedgerow-system",
      webhookListen: { host: "0.0.0.0", port: 15017 },
      sidecarImage: "sidecar:1",
      revision: "default",
    });
  });

  test("Kubernetes and a directory together are refused, and what Kubernetes needs is named", () => {
    const result = parseConfig({
      ...required,
      HEDGEROW_KUBERNETES: "/kubeconfig",
      HEDGEROW_REVISION: "Blue",
      HEDGEROW_POD_NAMESPACE: "a.b",
      HEDGEROW_WEBHOOK_LISTEN: "x",
    });
    expect(result.ok ? [] : result.problems.map(({ variable, value }) => [variable, value])).toEqual([
      ["HEDGEROW_MANIFESTS", "/m"],
      ["HEDGEROW_SIDECAR_IMAGE", ""],
      ["HEDGEROW_POD_NAMESPACE", "a.b"],
      ["HEDGEROW_WEBHOOK_LISTEN", "x"],
      ["HEDGEROW_REVISION", "Blue"],
    ]);
  });

  test("all problems at once, each naming its variable and value", () => {
    const result = parseConfig({
      ...required,
      HEDGEROW_ENROLL_LISTEN: "15010",
      HEDGEROW_ADMIN_LISTEN: "localhost:65536",
      HEDGEROW_ADMIN_SOCKET: `/${"x".repeat(95)}`,
      HEDGEROW_LOG_LEVEL: "loud",
    });
    expect(result.ok ? [] : result.problems.map(({ variable, value }) => [variable, value.slice(0, 15)])).toEqual([
      ["HEDGEROW_ENROLL_LISTEN", "15010"],
      ["HEDGEROW_ADMIN_LISTEN", "localhost:65536"],
      ["HEDGEROW_ADMIN_SOCKET", "/xxxxxxxxxxxxxx"],
      ["HEDGEROW_LOG_LEVEL", "loud"],
    ]);
  });
});

test.each([
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["[::1]:65535", { host: "::1", port: 65535 }],
  ["localhost:80", { host: "localhost", port: 80 }],
  ["::1:80", undefined],
  ["host:", undefined],
  [":80", undefined],
  ["host:80 ", undefined],
])("listen address %s", (text, expected) => {
  expect(parseListenAddress(text)).toEqual(expected);
});
