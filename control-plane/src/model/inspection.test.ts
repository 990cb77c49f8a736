import { type AuditPolicy, objectKey, objectRef } from "@hedgerow/manifest";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { audited, mesh, objectOf } from "../../test/arbitrary-mesh.ts";
import { cluster, service as clusterService, endpoint, pod } from "../../test/cluster.ts";
import { build, parse } from "../../test/mesh.ts";
import { buildModel, ModelBuilder } from "./build.ts";

type Built = ReturnType<typeof build>;

const workload = (name: string) => `
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: models, labels: {app: digits, version: ${name}}}
spec: {serviceAccount: digits, address: 10.0.0.${name.length}, inbound: [{port: 8443, appPort: 8080, protocol: grpc}]}
---`;
const service = (name: string, selector = "{app: digits}") => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec: {selector: ${selector}, ports: [{port: 80, targetPort: 8080}]}
---`;
const route = (parent: string, backend: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${parent}, namespace: models}
spec: {parentRefs: [{kind: Service, name: ${parent}}], rules: [{backendRefs: [{name: ${backend}}]}]}
---`;
const policy = (kind: string, name: string, targets: string, { born = "", says = "" } = {}) => `
apiVersion: hedgerow.dev/v1alpha1
kind: ${kind}
metadata: {name: ${name}, namespace: models${born === "" ? "" : `, creationTimestamp: "${born}"`}}
spec:
  targetRefs: [${targets
    .split(" ")
    .map((target) => (target === "*" ? "{kind: Namespace, name: models}" : `{kind: Service, name: ${target}}`))
    .join()}]
  ${says}
---`;
const audit = (name: string, targets: string, born?: string) =>
  policy("AuditPolicy", name, targets, born ? { born } : {});
const traffic = (name: string, targets: string, size: string) =>
  policy("TrafficPolicy", name, targets, { says: `maxRequestBytes: ${size}` });

const portOf = ({ model }: Built, nodeId = "models/w") => model.workloads.get(nodeId)?.inbound[0];
const ledgerOf = (built: Built, nodeId?: string) => portOf(built, nodeId)?.inspection?.ledger;
const OLD = "2026-01-01T00:00:00Z";
const w = workload("w");
const canary =
  w + workload("front") + service("s", "{version: w}") + service("t", "{version: front}") + route("t", "s");

describe("a port is recorded", () => {
  test.each<[what: string, yaml: string, ledger: string | undefined]>([
    ["by nobody without a policy", w + service("s"), undefined],
    [
      "by nobody where a policy names another service",
      w + service("s") + service("t", "{app: none}") + audit("p", "t"),
      undefined,
    ],
    ["by the policy of the service in front of it", w + service("s") + audit("p", "s"), "models/p"],
    ["by that of its namespace", w + service("s") + audit("p", "*"), "models/p"],
    ["by that of its namespace, though no service is in front of it", w + audit("p", "*"), "models/p"],
    [
      "by a service's before a namespace's, however old",
      w + service("s") + audit("p", "*", OLD) + audit("q", "s"),
      "models/q",
    ],
    ["by the older of two of one service", w + service("s") + audit("p", "s") + audit("q", "s", OLD), "models/q"],
    [
      "by the oldest of those of several services",
      w + service("s") + service("t") + audit("p", "s") + audit("q", "t", OLD),
      "models/q",
    ],
    ["by that of a route's parent", canary + audit("p", "t"), "models/p"],
    ["by its own before that of a route's parent", canary + audit("p", "t", OLD) + audit("q", "s"), "models/q"],
    ["by that of a route's parent before its namespace's", canary + audit("p", "*", OLD) + audit("q", "t"), "models/q"],
  ])("%s", (_, yaml, ledger) => {
    expect(ledgerOf(build(parse(yaml)))).toBe(ledger);
  });
});

test("an inspection says what it came from, and which services are in front", () => {
  const objects = parse(w + service("t") + service("s") + audit("p", "t") + traffic("limit", "s", "64Mi"));
  const generations = new Map([["AuditPolicy/models/p", 3] as const]);
  const { model } = buildModel({
    objects,
    cluster: undefined,
    ready: new Set(),
    trustDomain: "bank.ae",
    generations,
    lastResolved: new Map(),
  });
  expect(model.workloads.get("models/w")?.inbound[0]?.inspection).toEqual({
    policy: expect.objectContaining({ kind: "AuditPolicy" }),
    ledger: "models/p",
    generation: 3,
    failMode: "closed",
    maxRequestBytes: 64 * 1_048_576,
    services: ["models/s", "models/t"],
    origins: [
      { object: { kind: "AuditPolicy", namespace: "models", name: "p" }, path: ["spec"] },
      { object: { kind: "TrafficPolicy", namespace: "models", name: "limit" }, path: ["spec", "maxRequestBytes"] },
    ],
  });
});

describe("a conflict is told", () => {
  test("of two policies on one target", () => {
    const { findings } = build(parse(w + service("s") + audit("p", "*") + audit("q", "s *")));
    expect(findings).toEqual([
      {
        object: { kind: "AuditPolicy", namespace: "models", name: "q" },
        path: ["spec", "targetRefs", 1, "name"],
        condition: "Conflicted",
        reason: "Conflicted",
        message: "namespace models already has the older policy p",
      },
    ]);
  });

  test("of two policies whose services share a port", () => {
    const { findings } = build(parse(w + service("s") + service("t") + audit("p", "s") + audit("q", "t")));
    expect(findings).toEqual([
      {
        object: { kind: "AuditPolicy", namespace: "models", name: "q" },
        path: ["spec", "targetRefs", 0, "name"],
        condition: "Conflicted",
        reason: "Conflicted",
        message: "service models/t leads to ports that the older policy p records",
      },
    ]);
  });

  test("not of a service's policy within a namespace's", () => {
    expect(build(parse(w + service("s") + audit("p", "*") + audit("q", "s"))).findings).toEqual([]);
  });
});

describe("a pod", () => {
  const web = pod("models/web", "10.1.0.1", { labels: { app: "digits" } });
  const serviceOf = (protocol: "http" | "tcp") =>
    clusterService("models/s", { 80: [endpoint(web, 8080)] }, { protocol });
  const recordedBy = (yaml: string, ...services: readonly ReturnType<typeof serviceOf>[]) => {
    const built = build(parse(yaml), {
      cluster: cluster([{ ...web, ports: [{ name: "metrics", port: 9090 }] }], services),
    });
    const inbound = built.model.workloads.get("models/web")?.inbound ?? [];
    return { built, ports: inbound.map(({ port, inspection }) => `${port} ${inspection?.ledger ?? "-"}`) };
  };

  test("is recorded by its service's policy where that leads, and by its namespace's elsewhere", () => {
    const yaml = service("s") + audit("p", "s") + audit("q", "*");
    expect(recordedBy(yaml, serviceOf("http")).ports).toEqual(["8080 models/p", "9090 models/q"]);
  });

  test("is recorded though no endpoint says that the service leads there, and though the service is gone", () => {
    const yaml = service("s") + audit("p", "s");
    const { built, ports } = recordedBy(yaml);
    expect(ports).toEqual(["8080 models/p", "9090 -"]);
    const state = cluster([web], []);
    const without = build(parse(audit("p", "s")), { cluster: state, lastResolved: built.resolved });
    expect(ledgerOf(without, "models/web")).toBe("models/p");
  });

  test("of another namespace is another's", () => {
    expect(recordedBy(audit("q", "*").replaceAll("models", "fraud"), serviceOf("http")).ports).toEqual([
      "8080 -",
      "9090 -",
    ]);
  });

  test("has ports that carry no HTTP, which is told of a service that was named", () => {
    expect(recordedBy(service("s") + audit("p", "s"), serviceOf("tcp")).built.findings).toEqual([]);
    const named = service("s").replace("port: 80,", "port: 80, name: tcp-db,");
    expect(recordedBy(named + audit("p", "s"), serviceOf("tcp")).built.findings).toEqual([
      {
        object: { kind: "AuditPolicy", namespace: "models", name: "p" },
        path: ["spec", "targetRefs", 0, "name"],
        condition: "Accepted",
        reason: "UnsupportedProtocol",
        message: "service models/s leads to port 8080, which carries no HTTP: nothing of that is recorded",
      },
    ]);
    expect(recordedBy(named + audit("p", "*"), serviceOf("tcp")).built.findings).toEqual([]);
  });
});

describe("recording goes on", () => {
  const before = build(parse(w + service("s") + audit("p", "s")));
  const after = (yaml: string) => build(parse(yaml), { lastResolved: before.resolved });

  test.each<[when: string, yaml: string]>([
    ["when the service is gone", w + audit("p", "s")],
    ["when the service has another name", w + service("renamed") + audit("p", "s")],
    ["when the target is misspelt", w + service("s") + audit("p", "z")],
  ])("%s", (_, yaml) => {
    const built = after(yaml);
    expect(ledgerOf(built)).toBe("models/p");
    expect(built.findings.map(({ reason }) => reason)).toEqual(["TargetNotFound"]);
    expect(ledgerOf(build(parse(yaml), { lastResolved: built.resolved }))).toBe("models/p");
  });

  test("until the policy is deleted or takes another target that exists", () => {
    expect(ledgerOf(after(w + service("s")))).toBeUndefined();
    expect(ledgerOf(after(w + service("s") + service("t", "{app: none}") + audit("p", "t")))).toBeUndefined();
  });

  test("and opens no port that the loss of its service closed", () => {
    expect(portOf(before)?.access[0]?.rules).not.toEqual([]);
    expect(portOf(after(w + audit("p", "s")))?.access[0]?.rules).toEqual([]);
  });

  const recorded = ({ model }: Built) =>
    new Set(
      [...model.workloads.values()].flatMap(({ nodeId, inbound }) =>
        inbound.flatMap(({ port, inspection }) => (inspection === undefined ? [] : [`${nodeId} ${port}`])),
      ),
    );

  test("whatever services are lost", () => {
    fc.assert(
      fc.property(mesh, fc.func(fc.boolean()), (objects, isLost) => {
        const whole = build(objects);
        const left = objects.filter(
          ({ manifest }) => manifest.kind !== "Service" || !isLost(objectKey(objectRef(manifest))),
        );
        const rest = build(left, { lastResolved: whole.resolved });
        expect(recorded(whole).difference(recorded(rest))).toEqual(new Set());
      }),
      { numRuns: 300 },
    );
  });

  test("whatever targets are misspelt", () => {
    fc.assert(
      fc.property(mesh, audited, (objects, said) => {
        const first = build(objects);
        // Only what stood whole before can be held to.
        const whole = objects.filter(
          ({ manifest }) => manifest.kind !== "AuditPolicy" || first.resolved.has(objectKey(objectRef(manifest))),
        );
        const base = build(whole);
        const edited = whole.map((object) =>
          object.manifest.kind === "AuditPolicy" ? misspelt(object.manifest, said) : object,
        );
        const after = build(edited, { lastResolved: base.resolved });
        expect(recorded(base).difference(recorded(after))).toEqual(new Set());
      }),
      { numRuns: 300 },
    );
  });
});

function misspelt({ apiVersion, kind, metadata }: AuditPolicy, said: object) {
  return objectOf({
    apiVersion,
    kind,
    metadata,
    spec: { ...said, targetRefs: [{ kind: "Service", name: "misspelt" }] },
  });
}

describe("how large a request may be", () => {
  test.each<[what: string, yaml: string, port: number | undefined, service: number | undefined]>([
    ["is nobody's word without a policy", w + service("s"), undefined, undefined],
    [
      "is nobody's word of a policy without it",
      w + service("s") + policy("TrafficPolicy", "p", "s"),
      undefined,
      undefined,
    ],
    ["is its service's policy's", w + service("s") + traffic("p", "s", "512Ki"), 524_288, 524_288],
    [
      "is the least of several",
      w + service("s") + service("t") + traffic("p", "s", "2Mi") + traffic("q", "t", "1Mi"),
      1_048_576,
      2_097_152,
    ],
    ["is that of a route's parent", canary + traffic("p", "t", "2Mi"), 2_097_152, undefined],
    [
      "is its own before a route's parent's",
      canary + traffic("p", "t", "1Ki") + traffic("q", "s", "2Mi"),
      2_097_152,
      2_097_152,
    ],
    [
      "is the older's of two",
      w + service("s") + traffic("p", "s", "1Mi") + traffic("q", "s", "2Mi"),
      1_048_576,
      1_048_576,
    ],
  ])("%s", (_, yaml, port, ofService) => {
    const built = build(parse(yaml));
    expect(portOf(built)?.maxRequestBytes).toBe(port);
    expect(built.model.services.get("models/s/80")?.maxRequestBytes).toBe(ofService);
  });

  test("stays as it was while its target is misspelt", () => {
    const { resolved } = build(parse(w + service("s") + traffic("p", "s", "1Mi")));
    const built = build(parse(w + service("s") + traffic("p", "z", "2Mi")), { lastResolved: resolved });
    expect(portOf(built)?.maxRequestBytes).toBe(1_048_576);
  });
});

test("a limit that is edited reaches the agent, though nothing else of the port has changed", () => {
  const rest = parse(w + service("s") + audit("p", "s"));
  const builder = new ModelBuilder();
  const bytes = ["1Mi", "2Mi"].map((size) => {
    const objects = [...rest, ...parse(traffic("t", "s", size))];
    const input = {
      objects,
      cluster: undefined,
      ready: new Set<string>(),
      trustDomain: "bank.ae",
      lastResolved: new Map(),
    };
    const { model } = builder.build(input);
    return model.workloads.get("models/w")?.inbound[0]?.inspection?.maxRequestBytes;
  });
  expect(bytes).toEqual([1_048_576, 2_097_152]);
});
