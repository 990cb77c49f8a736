import { create } from "@bufbuild/protobuf";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { describe, expect, test } from "vitest";
import { assess, assessProxy, ReadinessTracker } from "./readiness.ts";

const workloadConfig = create(WorkloadConfigSchema, {
  inbound: [{ port: 8443, appPort: 8080, listener: "inbound/8443" }],
  upstreams: [{ service: "shop/app", localPort: 9000, listener: "outbound/shop/app/80" }],
});
const good = {
  svidValid: true,
  workloadConfig,
  envoy: { live: true, listeners: new Set(["inbound/8443", "outbound/shop/app/80", "other"]) },
  closedAppPorts: [],
};

describe("a workload is ready", () => {
  test("when everything is", () => {
    expect(assess(good)).toEqual({ ready: true, reason: "" });
  });

  test.each([
    ["without a valid SVID", { svidValid: false }, "no valid SVID"],
    ["without a configuration", { workloadConfig: undefined }, "no configuration from the control plane yet"],
    ["while Envoy does not answer", { envoy: undefined }, "Envoy does not answer"],
    ["while Envoy starts", { envoy: { ...good.envoy, live: false } }, "Envoy is not live yet"],
    [
      "while a listener warms",
      { envoy: { live: true, listeners: new Set(["inbound/8443"]) } },
      "listeners not active: outbound/shop/app/80",
    ],
    ["while the application is down", { closedAppPorts: [8080] }, "application does not accept connections on 8080"],
  ])("not %s", (_, change, reason) => {
    expect(assess({ ...good, ...change })).toEqual({ ready: false, reason });
  });
});

describe("a proxy in a pod is warm", () => {
  const pod = {
    ...good,
    workloadConfig: create(WorkloadConfigSchema, { listeners: ["inbound-capture", "outbound-capture"] }),
  };

  test("not before its capture listeners are active", () => {
    const listeners = new Set(["inbound-capture"]);
    expect(assessProxy({ ...pod, envoy: { live: true, listeners } })).toEqual({
      ready: false,
      reason: "listeners not active: outbound-capture",
    });
  });

  test("whatever its application does", () => {
    const listeners = new Set(["inbound-capture", "outbound-capture"]);
    expect(assess({ ...pod, envoy: { live: true, listeners } }).ready).toBe(true);
    expect(assessProxy({ ...good, closedAppPorts: [8080] }).ready).toBe(true);
  });
});

describe("readiness over time", () => {
  const up = { ready: true, reason: "" };
  const down = { ready: false, reason: "application is down" };

  test("goes up at once and down at the second failure in a row", () => {
    const tracker = new ReadinessTracker();
    expect(tracker.current.ready).toBe(false);
    expect(tracker.observe(up)).toBe(true);
    expect(tracker.observe(down)).toBe(false);
    expect(tracker.current.ready).toBe(true);
    expect(tracker.observe(up)).toBe(false);
    expect(tracker.observe(down)).toBe(false);
    expect(tracker.observe(down)).toBe(true);
    expect(tracker.current).toEqual(down);
  });

  test("a new reason is news, the same one is not", () => {
    const tracker = new ReadinessTracker();
    expect(tracker.observe(down)).toBe(true);
    expect(tracker.observe(down)).toBe(false);
    expect(tracker.observe({ ready: false, reason: "Envoy is not live yet" })).toBe(true);
  });
});
