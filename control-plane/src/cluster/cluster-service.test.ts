import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clusterService } from "./cluster-service.ts";
import { readEndpointSlice, type SliceRecord } from "./read-endpoint-slice.ts";
import { readService, type ServiceRecord } from "./read-service.ts";

function service(ports: readonly unknown[] = [{ name: "grpc", port: 80 }]): ServiceRecord {
  const read = readService({ metadata: { namespace: "a", name: "s" }, spec: { clusterIP: "10.96.0.9", ports } });
  if (read === undefined) throw new Error("no Service");
  return read;
}

function slice(endpoints: readonly unknown[], changes: Readonly<Record<string, unknown>> = {}): SliceRecord {
  const read = readEndpointSlice({
    metadata: { namespace: "a", name: "s-1", labels: { "kubernetes.io/service-name": "s" } },
    addressType: "IPv4",
    ports: [{ name: "grpc", port: 8080, protocol: "TCP" }],
    endpoints,
    ...changes,
  });
  if (read === undefined) throw new Error("no slice");
  return read;
}

const endpoint = (address: string, conditions: object = { ready: true }, pod?: string): unknown => ({
  addresses: [address],
  conditions,
  ...(pod === undefined ? {} : { targetRef: { kind: "Pod", namespace: "a", name: pod } }),
});

describe("a Service with its endpoints", () => {
  test("has those of all slices, in order, each once", () => {
    const built = clusterService(
      service(),
      [
        slice([endpoint("10.0.0.2", { ready: false }, "p2"), endpoint("10.0.0.1", {}, "p1")]),
        slice([endpoint("10.0.0.2", { ready: true }, "p2")]),
        slice([endpoint("fd00::1", { ready: true })], { addressType: "IPv6" }),
      ],
      undefined,
    );
    expect(built.ports).toEqual([
      {
        name: "grpc",
        port: 80,
        protocol: "http",
        endpoints: [
          { address: "10.0.0.1", port: 8080, ready: true, pod: "a/p1" },
          { address: "10.0.0.2", port: 8080, ready: true, pod: "a/p2" },
          { address: "fd00::1", port: 8080, ready: true, pod: undefined },
        ],
      },
    ]);
  });

  test.each([
    [{ ready: true }, true],
    [{ ready: null }, true],
    [{}, true],
    [{ ready: false }, false],
    [{ ready: true, terminating: true }, false],
    [{ ready: false, serving: true, terminating: true }, false],
  ])("takes an endpoint with conditions %j for ready: %s", (conditions, ready) => {
    const built = clusterService(service(), [slice([endpoint("10.0.0.1", conditions)])], undefined);
    expect(built.ports[0]?.endpoints[0]?.ready).toBe(ready);
  });

  test("joins ports by name, the nameless one too", () => {
    const ports = [{ name: null, port: 8080 }];
    const built = clusterService(service([{ port: 80 }]), [slice([endpoint("10.0.0.1")], { ports })], undefined);
    expect(built.ports[0]?.endpoints).toHaveLength(1);
    const other = clusterService(service(), [slice([endpoint("10.0.0.1")], { ports })], undefined);
    expect(other.ports[0]?.endpoints).toEqual([]);
  });

  test("is what it was where nothing changed, port by port", () => {
    const two = service([
      { name: "grpc", port: 80 },
      { name: "metrics", port: 90 },
    ]);
    const metrics = slice([endpoint("10.0.0.1")], { ports: [{ name: "metrics", port: 9090 }] });
    const before = clusterService(two, [slice([endpoint("10.0.0.1")]), metrics], undefined);
    expect(clusterService(two, [metrics, slice([endpoint("10.0.0.1", { ready: null })])], before)).toBe(before);
    const after = clusterService(two, [slice([endpoint("10.0.0.1", { ready: false })]), metrics], before);
    expect(after).not.toBe(before);
    expect(after.ports[1]).toBe(before.ports[1]);
    expect(after.ports[0]?.endpoints[0]?.ready).toBe(false);
  });

  test("does not depend on the order of slices", () => {
    const endpoints = fc.array(
      fc.record({
        addresses: fc.constantFrom(["10.0.0.1"], ["10.0.0.2"], ["10.0.0.3"]),
        conditions: fc.record({ ready: fc.boolean() }),
        targetRef: fc.record({ kind: fc.constant("Pod"), name: fc.constantFrom("p", "q") }),
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(fc.array(endpoints, { maxLength: 4 }), (many) => {
        const slices = many.map((entries) => slice(entries));
        const forward = clusterService(service(), slices, undefined);
        expect(clusterService(service(), slices.toReversed(), forward)).toBe(forward);
      }),
    );
  });
});

describe("a slice", () => {
  test.each([
    ["of names", { addressType: "FQDN" }],
    ["of no Service", { metadata: { namespace: "a", name: "s-1" } }],
  ])("%s is none", (_name, changes) => {
    expect(() => slice([], changes)).toThrow("no slice");
  });

  test("gives no more than it may hold", () => {
    const many = slice(Array.from({ length: 1200 }, (_, index) => endpoint(`10.0.${index >> 8}.${index & 255}`)));
    expect(many.endpoints).toHaveLength(1000);
  });
});
