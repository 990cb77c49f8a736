import { describe, expect, test } from "vitest";
import { readEndpointSlice, type SliceRecord } from "../../cluster/read-endpoint-slice.ts";
import { type PodRecord, readPod } from "../../cluster/read-pod.ts";
import { readService, type ServiceRecord } from "../../cluster/read-service.ts";
import { ClusterPart } from "./cluster-part.ts";

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("not read");
  return value;
}
const pod = (name: string, podIP = "10.0.0.1", metadata = {}): PodRecord =>
  found(
    readPod({
      metadata: { namespace: "n", name, uid: name, ...metadata },
      spec: { nodeName: "node-1" },
      status: { podIP },
    }),
  );
const service = (name: string, port = 80): ServiceRecord =>
  found(readService({ metadata: { namespace: "n", name }, spec: { clusterIP: "10.96.0.1", ports: [{ port }] } }));
const slice = (name: string, address: string, ready = true): SliceRecord =>
  found(
    readEndpointSlice({
      metadata: { namespace: "n", name: `${name}-x`, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ port: 8080 }],
      endpoints: [{ addresses: [address], conditions: { ready } }],
    }),
  );

/** Two pods, two Services, a namespace. */
function filled(): ClusterPart {
  const part = new ClusterPart();
  part.putPod(pod("a"));
  part.putPod(pod("b", "10.0.0.2"));
  for (const name of ["s", "t"]) {
    part.putService(service(name));
    part.putSlice(`n/${name}-x`, slice(name, "10.0.0.1"));
  }
  part.putNamespace({ name: "n", mtls: undefined });
  return part;
}

describe("the cluster", () => {
  test("is empty at first, and the very same while nothing changes", () => {
    const part = new ClusterPart();
    const empty = part.state();
    expect([empty.pods.size, empty.services.size, empty.namespaces.size]).toEqual([0, 0, 0]);
    expect(part.state()).toBe(empty);
    const full = filled();
    const before = full.state();
    full.putPod(pod("a"));
    full.putService(service("s"));
    full.putSlice("n/s-x", slice("s", "10.0.0.1"));
    full.putNamespace({ name: "n", mtls: undefined });
    full.putRegion("node-9", "east");
    full.removePod("n/unknown");
    full.removeService("Service/n/unknown");
    full.removeSlice("n/unknown");
    full.removeNamespace("unknown");
    expect(full.state()).toBe(before);
  });

  test("with one endpoint changed has one new Service, and all else as it was", () => {
    const part = filled();
    const before = part.state();
    expect(part.putSlice("n/s-x", slice("s", "10.0.0.1", false))).toBe(true);
    const after = part.state();
    expect(after).not.toBe(before);
    expect([after.pods, after.namespaces]).toEqual([before.pods, before.namespaces]);
    expect(after.pods === before.pods && after.namespaces === before.namespaces).toBe(true);
    expect(after.services.get("Service/n/t")).toBe(before.services.get("Service/n/t"));
    expect(before.services.get("Service/n/s")?.ports[0]?.endpoints[0]?.ready).toBe(true);
    expect(after.services.get("Service/n/s")?.ports[0]?.endpoints[0]?.ready).toBe(false);
  });

  test("with one pod changed has one new pod, and all else as it was", () => {
    const part = filled();
    const before = part.state();
    expect(part.putPod(pod("a", "10.0.0.1", { resourceVersion: "2", managedFields: [] }))).toBe(false);
    expect(part.putPod(pod("a", "10.0.0.9"))).toBe(true);
    const after = part.state();
    expect(after.pods.get("n/b")).toBe(before.pods.get("n/b"));
    expect([before.pods.get("n/a")?.address, after.pods.get("n/a")?.address]).toEqual(["10.0.0.1", "10.0.0.9"]);
    expect(after.services).toBe(before.services);
  });

  test("knows the region of a pod's node, whichever comes first", () => {
    const part = filled();
    const before = part.state();
    expect(before.pods.get("n/a")?.region).toBeUndefined();
    expect(part.putRegion("node-1", "east")).toBe(true);
    part.putPod(pod("c", "10.0.0.3"));
    expect([...part.state().pods.values()].map(({ region }) => region)).toEqual(["east", "east", "east"]);
    expect(part.putRegion("node-1", undefined)).toBe(true);
    expect(part.state().pods.get("n/a")?.region).toBeUndefined();
  });

  test("forgets what is gone", () => {
    const part = filled();
    part.state();
    part.removePod("n/a");
    part.removeService("Service/n/s");
    part.removeNamespace("n");
    expect(part.removeSlice("n/t-x")).toBe(true);
    const { pods, services, namespaces } = part.state();
    expect([[...pods.keys()], [...services.keys()], namespaces.size]).toEqual([["n/b"], ["Service/n/t"], 0]);
    expect(services.get("Service/n/t")?.ports[0]?.endpoints).toEqual([]);
  });

  test("joins slices that came before their Service, and keeps them when it goes and comes back", () => {
    const part = new ClusterPart();
    expect(part.putSlice("n/s-x", slice("s", "10.0.0.1"))).toBe(false);
    part.putService(service("s"));
    expect(part.state().services.get("Service/n/s")?.ports[0]?.endpoints).toHaveLength(1);
    part.removeService("Service/n/s");
    expect(part.state().services.size).toBe(0);
    part.putService(service("s"));
    expect(part.state().services.get("Service/n/s")?.ports[0]?.endpoints).toHaveLength(1);
  });

  test("moves a slice that was made anew for another Service", () => {
    const part = filled();
    part.state();
    part.putSlice("n/s-x", slice("t", "10.0.0.7"));
    const { services } = part.state();
    expect(services.get("Service/n/s")?.ports[0]?.endpoints).toEqual([]);
    expect(services.get("Service/n/t")?.ports[0]?.endpoints.map(({ address }) => address)).toEqual([
      "10.0.0.1",
      "10.0.0.7",
    ]);
  });
});
