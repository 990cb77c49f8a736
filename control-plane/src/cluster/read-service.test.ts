import { manifestSchemas } from "@hedgerow/manifest";
import { describe, expect, test } from "vitest";
import { portProtocol } from "./port-protocol.ts";
import { readService } from "./read-service.ts";

const metadata = { namespace: "models", name: "digits", creationTimestamp: "2026-11-24T14:10:24Z" };
const service = (spec: Readonly<Record<string, unknown>>): unknown => ({ metadata, spec });

describe("a Service", () => {
  test("is read as addresses, ports and a manifest", () => {
    const read = readService({
      metadata: { ...metadata, generation: 3, labels: { team: "a" }, annotations: { note: "left out" } },
      spec: {
        type: "LoadBalancer",
        sessionAffinity: "ClientIP",
        selector: { app: "digits" },
        clusterIP: "10.96.1.1",
        clusterIPs: ["10.96.1.1", "fd00::1"],
        ports: [
          { name: "grpc", port: 80, protocol: "TCP", targetPort: "grpc", nodePort: 30_000 },
          { name: "dns", port: 53, protocol: "UDP" },
          { name: "db", port: 5432, targetPort: 5433, appProtocol: "tcp" },
        ],
      },
    });
    expect(read).toMatchObject({
      ref: { kind: "Service", namespace: "models", name: "digits" },
      clusterIps: ["10.96.1.1", "fd00::1"],
      ports: [
        { port: 80, name: "grpc", protocol: "http" },
        { port: 5432, name: "db", protocol: "tcp" },
      ],
      generation: 3,
    });
    expect(read?.object.manifest).toEqual({
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...metadata, labels: { team: "a" }, annotations: {} },
      spec: {
        selector: { app: "digits" },
        ports: [
          { name: "grpc", port: 80, targetPort: "grpc" },
          { name: "db", port: 5432, targetPort: 5433, appProtocol: "tcp" },
        ],
      },
    });
    expect(manifestSchemas.Service.safeParse(read?.object.manifest).success).toBe(true);
    expect(read?.object.positionOf(["spec"])).toEqual({ file: "Service/models/digits", line: 0, column: 0 });
    expect(JSON.parse(read?.object.text ?? "")).toEqual(read?.object.manifest);
  });

  test("without a selector, and headless, is one all the same", () => {
    const read = readService(service({ clusterIP: "None", clusterIPs: ["None"], ports: [{ port: 80 }] }));
    expect(read).toMatchObject({ clusterIps: [], ports: [{ port: 80, name: undefined, protocol: "auto" }] });
    expect(read?.object.manifest.spec.selector).toEqual({});
  });

  test("from before there were several addresses has one", () => {
    expect(readService(service({ clusterIP: "10.96.1.1" }))?.clusterIps).toEqual(["10.96.1.1"]);
  });

  test("that is a name elsewhere is none", () => {
    expect(readService(service({ type: "ExternalName", externalName: "a.example" }))).toBeUndefined();
  });
});

describe("a port carries", () => {
  test.each([
    [undefined, undefined, "auto"],
    [undefined, "http", "http"],
    [undefined, "http2-alt", "http"],
    [undefined, "grpc-web", "http"],
    [undefined, "grpc-main", "http"],
    [undefined, "GRPC", "http"],
    [undefined, "https", "tcp"],
    [undefined, "redis-a", "tcp"],
    [undefined, "httpish", "auto"],
    [undefined, "constructor", "auto"],
    ["kubernetes.io/h2c", "tcp", "http"],
    ["connect", undefined, "http"],
    ["mongo", "http", "tcp"],
    ["example.com/mine", "http", "auto"],
  ] as const)("by appProtocol %s and name %s: %s", (appProtocol, name, expected) => {
    expect(portProtocol(appProtocol, name)).toBe(expected);
  });
});
