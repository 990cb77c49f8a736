import { fieldName } from "@hedgerow/manifest";
import { describe, expect, test } from "vitest";
import { build, parse, TRUST_DOMAIN } from "../../test/mesh.ts";
import { buildModel } from "./build.ts";

const workload = (name: string, spec: string, labels = "{app: digits}") => `
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: models, labels: ${labels}}
spec: {serviceAccount: ${name}, address: 10.0.0.1, ${spec}}
---`;
const service = (name: string, selector: string, ports = "[{port: 80, targetPort: 8080}]", namespace = "models") => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}}
spec: {selector: ${selector}, ports: ${ports}}
---`;
const route = (name: string, spec: string, meta = "") => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${name}, namespace: models${meta}}
spec: ${spec}
---`;
const server = workload("server", "inbound: [{name: web, port: 8443, appPort: 8080, protocol: grpc}]");
const digits = service("digits", "{app: digits}");

/** The findings as people see them: field, reason, message. */
const said = (yaml: string, options?: Parameters<typeof build>[1]) =>
  build(parse(yaml), options).findings.map(({ path, condition, reason, message }) => [
    fieldName(path),
    condition,
    reason,
    message,
  ]);
const serviceOf = (yaml: string, id: string, options?: Parameters<typeof build>[1]) =>
  build(parse(yaml), options).model.services.get(id);

test("an empty mesh is a mesh", () => {
  const { model, findings, resolved } = build([]);
  expect([model.workloads.size, model.services.size, findings, resolved.size]).toEqual([0, 0, [], 0]);
});

describe("a service", () => {
  const endpoint = (nodeId: string, port = 8443) => expect.objectContaining({ nodeId, port, address: "10.0.0.1" });
  test.each<[what: string, yaml: string, id: string, endpoints: unknown[]]>([
    ["has the workloads that carry its selector", server + digits, "models/digits/80", [endpoint("models/server")]],
    ["has none that carries only part of it", server + service("s", "{app: digits, version: v1}"), "models/s/80", []],
    ["has none of another namespace", server + service("s", "{app: digits}", undefined, "other"), "other/s/80", []],
    ["has none without its target port", server + service("s", "{app: digits}", "[{port: 80}]"), "models/s/80", []],
    [
      "leads to its own port number by default",
      server + service("s", "{app: digits}", "[{port: 8080}]"),
      "models/s/8080",
      [endpoint("models/server")],
    ],
    [
      "finds a port by its name",
      server + service("s", "{app: digits}", "[{port: 1, targetPort: web}]"),
      "models/s/1",
      [endpoint("models/server")],
    ],
    [
      "has a workload once, whatever leads to one application",
      workload(
        "server",
        "inbound: [{port: 1, appPort: 8080, protocol: http1}, {port: 2, appPort: 8080, protocol: http1}]",
      ) + digits,
      "models/digits/80",
      [endpoint("models/server", 1)],
    ],
  ])("%s", (_, yaml, id, endpoints) => {
    expect(serviceOf(yaml, id)?.endpoints).toEqual(endpoints);
  });

  test("sends nothing to a workload that is not ready, and trusts it nonetheless", () => {
    const { endpoints, spiffeIds } = serviceOf(server + digits, "models/digits/80", { ready: new Set() }) ?? {};
    expect([endpoints, spiffeIds]).toEqual([[], [`spiffe://${TRUST_DOMAIN}/ns/models/sa/server`]]);
  });
});

describe("what does not resolve is said, at its field", () => {
  const caller = (upstreams: string) => workload("caller", `upstreams: ${upstreams}`, "{}");
  const two = service("two", "{app: digits}", "[{port: 80}, {port: 81}]");
  const to = (backend: string) =>
    route("r", `{parentRefs: [{kind: Service, name: digits}], rules: [{backendRefs: [${backend}]}]}`);
  test.each<[yaml: string, field: string, condition: string, reason: string, message: string | RegExp]>([
    [
      caller("[{service: models/gone, localPort: 1}]"),
      "spec.upstreams[0].service",
      "ResolvedRefs",
      "BackendNotFound",
      /models\/gone not found/,
    ],
    [
      caller("[{service: models/digits, port: 9, localPort: 1}]"),
      "spec.upstreams[0].port",
      "ResolvedRefs",
      "PortNotFound",
      /no port 9/,
    ],
    [
      two + caller("[{service: models/two, localPort: 1}]"),
      "spec.upstreams[0].port",
      "ResolvedRefs",
      "PortNotSpecified",
      /several ports/,
    ],
    [
      caller("[{service: models/digits, localPort: 1}, {service: models/digits, port: 80, localPort: 2}]"),
      "spec.upstreams[1].service",
      "Accepted",
      "DuplicateUpstream",
      /already an upstream/,
    ],
    [
      to("{name: gone}"),
      "spec.rules[0].backendRefs[0].name",
      "ResolvedRefs",
      "BackendNotFound",
      /models\/gone not found/,
    ],
    [
      to("{name: digits, namespace: other}"),
      "spec.rules[0].backendRefs[0].namespace",
      "ResolvedRefs",
      "RefNotPermitted",
      /another namespace/,
    ],
    [
      to("{name: digits}, {name: digits, port: 9}"),
      "spec.rules[0].backendRefs[1].port",
      "ResolvedRefs",
      "PortNotFound",
      /no port 9/,
    ],
    [two + to("{name: two}"), "spec.rules[0].backendRefs[0].port", "ResolvedRefs", "PortNotSpecified", /several ports/],
    [
      route("r", "{parentRefs: [{kind: Service, name: gone}], rules: [{backendRefs: [{name: digits}]}]}"),
      "spec.parentRefs[0].name",
      "Accepted",
      "NoMatchingParent",
      /models\/gone not found/,
    ],
    [
      route("r", "{parentRefs: [{kind: Service, name: digits, port: 9}], rules: [{backendRefs: [{name: digits}]}]}"),
      "spec.parentRefs[0].port",
      "Accepted",
      "NoMatchingParent",
      /no port 9/,
    ],
    [
      route(
        "r",
        "{parentRefs: [{kind: Service, name: digits, namespace: other}], rules: [{backendRefs: [{name: digits}]}]}",
      ),
      "spec.parentRefs[0].namespace",
      "Accepted",
      "RefNotPermitted",
      /own namespace/,
    ],
  ])("%#", (yaml, field, condition, reason, message) => {
    expect(said(server + digits + yaml)).toEqual([[field, condition, reason, expect.stringMatching(message)]]);
  });

  test("with a position that leads to the line", () => {
    const objects = parse(digits + to("{name: digits}, {name: gone}"), "route.yaml");
    const [finding] = build(objects).findings;
    const object = objects.find(({ manifest }) => manifest.kind === finding?.object.kind);
    expect(object?.positionOf(finding?.path ?? [])).toEqual({ file: "route.yaml", line: 10, column: 99 });
  });
});

describe("two routes of one service", () => {
  const rules = (path: string, backend: string) =>
    `{parentRefs: [{kind: Service, name: digits}], rules: [{matches: [{path: {value: ${path}}}], backendRefs: [{name: ${backend}}]}]}`;
  const base = server + digits + service("old", "{app: digits}") + service("new", "{app: digits}");
  const backends = (yaml: string) =>
    serviceOf(base + yaml, "models/digits/80")?.routes?.map(
      ({ match, backends: [first] }) => `${match.path.value} ${first?.service}`,
    );

  test("are merged, the more specific first", () => {
    expect(backends(route("a", rules("/", "old")) + route("b", rules("/v2", "new")))).toEqual([
      "/v2 models/new/80",
      "/ models/old/80",
    ]);
  });

  test.each([
    ["the older first", ', creationTimestamp: "2026-02-01T00:00:00Z"', ', creationTimestamp: "2026-01-01T00:00:00Z"'],
    ["one with an age first", "", ', creationTimestamp: "2026-01-01T00:00:00Z"'],
  ])("that are equally specific: %s", (_, a, b) => {
    const merged = backends(route("a", rules("/", "old"), a) + route("b", rules("/", "new"), b));
    expect(merged).toEqual(["/ models/new/80", "/ models/old/80"]);
  });

  test("that are equally specific and old: by name", () => {
    expect(backends(route("b", rules("/", "new")) + route("a", rules("/", "old")))?.[0]).toBe("/ models/old/80");
  });
});

describe("a route that no longer resolves", () => {
  const base = server + digits + service("v1", "{app: digits}");
  const to = (...names: string[]) =>
    route(
      "r",
      `{parentRefs: [{kind: Service, name: digits}], rules: [{backendRefs: [${names.map((name) => `{name: ${name}}`).join()}]}]}`,
    );
  const first = build(parse(base + to("v1")));
  const targets = (yaml: string, lastResolved?: typeof first.resolved) =>
    serviceOf(yaml, "models/digits/80", lastResolved && { lastResolved })?.routes?.[0]?.backends.map(
      ({ service }) => service,
    );

  test("stays as it last resolved, and says so", () => {
    expect(targets(base + to("v1", "gone"), first.resolved)).toEqual(["models/v1/80"]);
    expect(said(base + to("v1", "gone"), { lastResolved: first.resolved })[0]?.[3]).toMatch(
      /last version .* stays in force/,
    );
  });

  test("is remembered over further edits that don't resolve either", () => {
    const second = build(parse(base + to("gone")), { lastResolved: first.resolved });
    expect(targets(base + to("gone", "v1"), second.resolved)).toEqual(["models/v1/80"]);
  });

  test("comes into force when its reference appears", () => {
    expect(targets(base + service("gone", "{app: digits}") + to("v1", "gone"), first.resolved)).toEqual([
      "models/v1/80",
      "models/gone/80",
    ]);
  });

  test("is in force with what resolves when it never did as a whole, or its last version doesn't either", () => {
    expect(targets(base + to("v1", "gone"))).toEqual(["models/v1/80", undefined]);
    expect(targets(server + digits + to("v1", "gone"), first.resolved)).toEqual([undefined, undefined]);
  });

  test("is forgotten when it is deleted", () => {
    expect([...build(parse(base), { lastResolved: first.resolved }).resolved.keys()]).toEqual([
      "Workload/models/server",
    ]);
  });
});

describe("an upstream that does not resolve", () => {
  const caller = (...services: string[]) =>
    workload(
      "caller",
      `upstreams: [${services.map((name, index) => `{service: models/${name}, localPort: ${index + 1}}`).join()}]`,
    );
  const upstreams = (yaml: string, lastResolved?: ReturnType<typeof build>["resolved"]) =>
    build(parse(yaml), lastResolved && { lastResolved })
      .model.workloads.get("models/caller")
      ?.upstreams.map(({ service, localPort }) => [service, localPort]);

  test("is left out, and the others stay", () => {
    expect(upstreams(digits + caller("gone", "digits"))).toEqual([["models/digits/80", 2]]);
  });

  test("leaves all as they last resolved", () => {
    const { resolved } = build(parse(digits + caller("digits")));
    expect(upstreams(digits + caller("gone", "digits"), resolved)).toEqual([["models/digits/80", 1]]);
  });
});

describe("MeshConfig", () => {
  const meshConfig = (namespace: string, trustDomain: string) => `
apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh, namespace: ${namespace}}
spec: {trustDomain: ${trustDomain}}
---`;
  test("cannot change the trust domain", () => {
    const { findings, model } = build(parse(meshConfig("default", "other.ae")));
    expect(findings.map(({ path, reason }) => [fieldName(path), reason])).toEqual([
      ["spec.trustDomain", "TrustDomainFixed"],
    ]);
    expect(model.trustDomain).toBe(TRUST_DOMAIN);
  });

  test("is one; another is in conflict", () => {
    const objects = ["b", "a"].flatMap((namespace) => parse(meshConfig(namespace, TRUST_DOMAIN)));
    const { findings } = buildModel({
      objects,
      cluster: undefined,
      ready: new Set(),
      trustDomain: TRUST_DOMAIN,
      lastResolved: new Map(),
    });
    expect(findings.map(({ object, condition }) => [object.namespace, condition])).toEqual([["b", "Conflicted"]]);
  });
});
