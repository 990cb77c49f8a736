import { objectKey, objectRef, type SourceObject } from "@hedgerow/manifest";
import { type AccessRequest, decide } from "@hedgerow/policy";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { accessRequest, allow, mesh, objectOf } from "../../test/arbitrary-mesh.ts";
import { build, parse, TRUST_DOMAIN } from "../../test/mesh.ts";

type Built = ReturnType<typeof build>;

const workload = (name: string, version = name) => `
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: models, labels: {app: digits, version: ${version}}}
spec:
  serviceAccount: digits
  address: 10.0.0.${name.length}
  inbound: [{port: 8443, appPort: 8080, protocol: grpc}]
---`;
const service = (name: string, selector = "{app: digits}") => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec: {selector: ${selector}, ports: [{port: 80, targetPort: 8080}]}
---`;
const policy = (name: string, targets: string, callers: string, born = "") => `
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: ${name}, namespace: models${born === "" ? "" : `, creationTimestamp: "${born}"`}}
spec:
  targetRefs: [${targets
    .split(" ")
    .map((target) => `{kind: Service, name: ${target}}`)
    .join()}]
  allow: [${callers
    .split(" ")
    .filter(Boolean)
    .map((caller) => `{name: ${caller}, from: [{namespace: ${caller}}]}`)
    .join()}]
---`;
const route = (parent: string, backend: string) => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${parent}, namespace: models}
spec: {parentRefs: [{kind: Service, name: ${parent}}], rules: [{backendRefs: [{name: ${backend}}]}]}
---`;
const meshConfig = (setting: string) => `
apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: ${TRUST_DOMAIN}, access: {default: ${setting}}}
---`;

/** Which of the namespaces a, b and c get in at the workload's port, and by whose word. */
test("the loss of the MeshConfig opens nothing that it closed", () => {
  const yaml = workload("w") + service("s");
  const before = build(parse(meshConfig("deny") + yaml));
  const without = build(parse(yaml), { lastResolved: before.resolved });
  expect(entries(without)).toEqual([]);
  expect(without.meshConfig?.spec.access.default).toBe("deny");
  expect(entries(build(parse(meshConfig("allow") + yaml), { lastResolved: without.resolved }))).toHaveLength(3);
});

function entries({ model }: Built, nodeId = "models/w"): readonly string[] {
  const access = model.workloads.get(nodeId)?.inbound[0]?.access ?? [];
  return ["a", "b", "c"].flatMap((namespace) => {
    const decision = decide(access, { spiffeId: `spiffe://${TRUST_DOMAIN}/ns/${namespace}/sa/x`, path: "/x" });
    return decision.kind === "allow" ? [`${namespace} by ${decision.policy}`] : [];
  });
}

const w = workload("w");
describe("a port lets in", () => {
  test.each<[what: string, yaml: string, entered: string[]]>([
    ["nobody without a service", w, []],
    ["the mesh without a policy", w + service("s"), ["a by default allow", "b by default allow", "c by default allow"]],
    ["nobody without a policy where the mesh says so", meshConfig("deny") + w + service("s"), []],
    ["whom its policy names", w + service("s") + policy("p", "s", "a"), ["a by models/p"]],
    [
      "whom its policy names where the mesh denies",
      meshConfig("deny") + w + service("s") + policy("p", "s", "a"),
      ["a by models/p"],
    ],
    ["nobody where its policy names nobody", w + service("s") + policy("p", "s", ""), []],
    [
      "whom any service in front of it lets in",
      w + service("s") + service("t") + policy("p", "s", "a") + policy("q", "t", "b"),
      ["a by models/p", "b by models/q"],
    ],
    [
      "nobody by a service without a policy beside one with",
      w + service("s") + service("t") + policy("p", "s", "a"),
      ["a by models/p"],
    ],
    [
      "whom the policy of a route's parent names",
      w +
        workload("front") +
        service("s", "{version: w}") +
        service("t", "{version: front}") +
        route("t", "s") +
        policy("p", "t", "a"),
      ["a by models/p"],
    ],
    [
      "whom its own policy names, whatever a route's parent says",
      w +
        workload("front") +
        service("s", "{version: w}") +
        service("t", "{version: front}") +
        route("t", "s") +
        policy("p", "t", "a") +
        policy("q", "s", "b"),
      ["b by models/q"],
    ],
    [
      "whom the parent's policy names, even when the parent is not there",
      w + service("s") + route("gone", "s") + policy("p", "gone", "a"),
      ["a by models/p"],
    ],
    [
      "whom the older of two policies names",
      w + service("s") + policy("p", "s", "a") + policy("q", "s", "b", "2026-01-01T00:00:00Z"),
      ["b by models/q"],
    ],
    [
      "whom the first of two policies of no age names",
      w + service("s") + policy("q", "s", "b") + policy("p", "s", "a"),
      ["a by models/p"],
    ],
  ])("%s", (_, yaml, entered) => {
    expect(entries(build(parse(yaml)))).toEqual(entered);
  });
});

test("the younger of two policies is in conflict, for the one target that both have", () => {
  const { findings } = build(parse(w + service("s") + service("t") + policy("p", "s", "a") + policy("q", "t s", "b")));
  expect(findings).toEqual([
    {
      object: { kind: "AccessPolicy", namespace: "models", name: "q" },
      path: ["spec", "targetRefs", 1, "name"],
      condition: "Conflicted",
      reason: "Conflicted",
      message: "service models/s already has the older policy p",
    },
  ]);
});

describe("a policy whose target is lost", () => {
  const before = build(parse(w + service("s") + policy("p", "s", "a")));
  const after = (yaml: string) => build(parse(yaml), { lastResolved: before.resolved });

  test.each<[what: string, yaml: string, entered: string[]]>([
    ["the service is gone", w + policy("p", "s", "a"), ["a by models/p"]],
    ["the service has another name", w + service("renamed") + policy("p", "s", "a"), ["a by models/p"]],
    ["the target is misspelt", w + service("s") + policy("p", "z", "a"), ["a by models/p"]],
    ["the target is misspelt and the rules widened", w + service("s") + policy("p", "z", "a b"), ["a by models/p"]],
    ["a second target is misspelt and the rules narrowed", w + service("s") + policy("p", "s z", ""), []],
    [
      "the target is misspelt and another policy takes it",
      w + service("s") + policy("p", "z", "a") + policy("q", "s", "b"),
      ["a by models/p"],
    ],
  ])("still stands when %s", (_, yaml, entered) => {
    const built = after(yaml);
    expect(entries(built)).toEqual(entered);
    expect(built.findings.map(({ reason }) => reason)).toContain("TargetNotFound");
    // And over every edit that follows.
    expect(entries(build(parse(yaml), { lastResolved: built.resolved }))).toEqual(entered);
  });

  test("still stands on the way of a route whose backend is gone", () => {
    const services = w + service("t", "{version: front}") + route("t", "s") + policy("p", "t", "a");
    const { resolved } = build(parse(services + service("s", "{version: w}") + service("open")));
    expect(entries(build(parse(services + service("open")), { lastResolved: resolved }))).toEqual(["a by models/p"]);
  });

  test("goes when it is deleted or takes another target that exists", () => {
    const all = ["a by default allow", "b by default allow", "c by default allow"];
    expect(entries(after(w + service("s")))).toEqual(all);
    expect(entries(after(w + service("s") + service("t", "{app: none}") + policy("p", "t", "a")))).toEqual(all);
  });
});

/** For every inbound port of every workload: does a request get in? */
function opened({ model }: Built, request: AccessRequest): ReadonlySet<string> {
  return new Set(
    [...model.workloads.values()].flatMap(({ nodeId, inbound }) =>
      inbound.flatMap(({ port, access }) => (decide(access, request).kind === "allow" ? [`${nodeId} ${port}`] : [])),
    ),
  );
}
const isKind = (kind: string) => (object: SourceObject) => object.manifest.kind === kind;

describe("no failure opens a port:", () => {
  const requests = fc.array(accessRequest, { minLength: 1, maxLength: 5 });
  /** What a failure opened: `node id, port` for every request that only gets in afterwards. */
  const newlyOpened = (before: Built, after: Built, asked: readonly AccessRequest[]) =>
    asked.flatMap((request) => [...opened(after, request).difference(opened(before, request))]);

  test("not the loss of services", () => {
    fc.assert(
      fc.property(mesh, requests, fc.func(fc.boolean()), (objects, asked, isLost) => {
        const before = build(objects);
        const left = objects.filter(
          (object) => !isKind("Service")(object) || !isLost(objectKey(objectRef(object.manifest))),
        );
        expect(newlyOpened(before, build(left, { lastResolved: before.resolved }), asked)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("not a policy whose targets are misspelt", () => {
    fc.assert(
      fc.property(mesh, requests, allow, (objects, asked, rules) => {
        // Only what stood whole before can be held to.
        const before = build(objects);
        const whole = objects.filter(
          ({ manifest }) => manifest.kind !== "AccessPolicy" || before.resolved.has(objectKey(objectRef(manifest))),
        );
        const base = build(whole);
        const edited = whole.map((object) =>
          object.manifest.kind === "AccessPolicy"
            ? objectOf({
                ...object.manifest,
                spec: { targetRefs: [{ kind: "Service", name: "misspelt" }], allow: rules },
              })
            : object,
        );
        expect(newlyOpened(base, build(edited, { lastResolved: base.resolved }), asked)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  test("not a younger policy for the same service", () => {
    fc.assert(
      fc.property(mesh, requests, allow, (objects, asked, rules) => {
        const policies = objects.flatMap(({ manifest }) => (manifest.kind === "AccessPolicy" ? [manifest] : []));
        const younger = policies.map(({ metadata, spec: { targetRefs } }, index) =>
          objectOf({
            apiVersion: "hedgerow.dev/v1alpha1",
            kind: "AccessPolicy",
            metadata: { name: `z${index}`, namespace: metadata.namespace },
            spec: { targetRefs, allow: rules },
          }),
        );
        expect(newlyOpened(build(objects), build([...objects, ...younger]), asked)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
