import { describe, expect, test } from "vitest";
import { readPod } from "./read-pod.ts";

const metadata = { namespace: "models", name: "digits-0", uid: "u-1", labels: { app: "digits" } };
const pod = (changes: Readonly<Record<string, unknown>> = {}): unknown => ({
  metadata,
  spec: { serviceAccountName: "digits", nodeName: "node-1", containers: [] },
  status: { phase: "Running", podIP: "10.1.2.3" },
  ...changes,
});

describe("a pod", () => {
  test("is read", () => {
    expect(readPod(pod())).toEqual({
      nodeId: "models/digits-0",
      namespace: "models",
      name: "digits-0",
      uid: "u-1",
      serviceAccount: "digits",
      labels: { app: "digits" },
      address: "10.1.2.3",
      nodeName: "node-1",
      ports: [],
      captured: { only: undefined, except: [] },
      drainMs: 5000,
      terminating: false,
    });
  });

  test("that has just been made has neither node nor address", () => {
    const young = readPod({ metadata, spec: {}, status: { phase: "Pending" } });
    expect(young).toMatchObject({ address: undefined, nodeName: undefined, serviceAccount: "default" });
  });

  test("says which of its ports are captured", () => {
    const annotations = { "hedgerow.dev/inbound-ports": "8080, 9090", "hedgerow.dev/exclude-inbound-ports": "9090,x" };
    const read = readPod(pod({ metadata: { ...metadata, annotations } }));
    expect(read?.captured).toEqual({ only: [8080, 9090], except: [9090] });
  });

  test.each(["Succeeded", "Failed"])("that has finished (%s) is none", (phase) => {
    expect(readPod(pod({ status: { phase, podIP: "10.1.2.3" } }))).toBeUndefined();
  });

  test("that is being deleted is terminating", () => {
    const deletionTimestamp = "2026-11-24T14:10:24Z";
    expect(readPod(pod({ metadata: { ...metadata, deletionTimestamp } }))?.terminating).toBe(true);
  });

  test("has the TCP ports of its containers and native sidecars, once each, and not the proxy's", () => {
    const spec = {
      containers: [
        {
          name: "app",
          ports: [
            { name: "grpc", containerPort: 8081 },
            { containerPort: 53, protocol: "UDP" },
          ],
        },
        {
          name: "side",
          ports: [{ containerPort: 8081 }, { containerPort: 8080, protocol: "TCP" }, { containerPort: 0 }],
        },
      ],
      initContainers: [
        { name: "setup", ports: [{ containerPort: 1 }] },
        { name: "cache", restartPolicy: "Always", ports: [{ name: "cache", containerPort: 6379 }] },
        { name: "hedgerow-proxy", restartPolicy: "Always", ports: [{ containerPort: 15006 }] },
      ],
    };
    expect(readPod(pod({ spec }))?.ports).toEqual([
      { name: "cache", port: 6379 },
      { name: undefined, port: 8080 },
      { name: "grpc", port: 8081 },
    ]);
  });

  test.each([
    ["800ms", 800],
    ["1m30s", 90_000],
    ["0s", 0],
    ["2h", 600_000],
    ["soon", 5000],
    ["", 5000],
    [7, 5000],
  ])("drains for as long as it says: %j", (drain, expected) => {
    const annotations = { "hedgerow.dev/drain": drain };
    expect(readPod(pod({ metadata: { ...metadata, annotations } }))?.drainMs).toBe(expected);
  });
});
