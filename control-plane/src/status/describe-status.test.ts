import { type Manifest, type ObjectKey, type Problem, parseManifests, type SourceObject } from "@hedgerow/manifest";
import { type AdsTypeUrl, CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { describe, expect, test } from "vitest";
import type { ProxyState, ProxyTypeState } from "../ads/proxy-state.ts";
import type { Finding } from "../model/finding.ts";
import type { Origin, ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { describeProxies } from "./describe-proxies.ts";
import { describeStatus, type ObjectStatusInit, type StatusInput } from "./describe-status.ts";

const text = `apiVersion: v1
kind: Service
metadata: { namespace: default, name: digits }
spec:
  selector: { app: digits }
  ports:
    - port: 80
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { namespace: default, name: canary }
spec:
  parentRefs:
    - { group: "", kind: Service, name: digits, port: 80 }
  rules:
    - backendRefs:
        - { name: digits, port: 80 }
`;
const parsed = parseManifests("mesh.yaml", text);
const objects: readonly SourceObject[] = parsed.objects;
const SERVICE: ObjectKey = "Service/default/digits";
const ROUTE: ObjectKey = "HTTPRoute/default/canary";
const refOf = (kind: Manifest["kind"], name: string) => ({ kind, namespace: "default", name });
const fromService: Origin = { object: refOf("Service", "digits"), path: ["spec", "ports", 0] };
const fromRoute: Origin = { object: refOf("HTTPRoute", "canary"), path: ["spec", "rules"] };

const resource = (typeUrl: AdsTypeUrl, name: string, version: string, ...origins: readonly Origin[]): Resource => ({
  typeUrl,
  name,
  version,
  encoded: new Uint8Array(),
  origins,
});
const clusterResource = resource(CLUSTER_TYPE_URL, "c", "c1", fromService);
const routeResource = resource(ROUTE_TYPE_URL, "r", "r1", fromRoute, fromService);

function snapshotOf(...nodeIds: readonly string[]): Map<string, ProxySnapshot> {
  const resources = new Map([
    [CLUSTER_TYPE_URL, new Map([["c", clusterResource]])],
    [ROUTE_TYPE_URL, new Map([["r", routeResource]])],
  ] as const);
  return new Map(
    nodeIds.map((nodeId) => [
      nodeId,
      { nodeId, resources: new Map<AdsTypeUrl, ReadonlyMap<string, Resource>>(resources) },
    ]),
  );
}

const said = (
  versions: Readonly<Record<string, string>>,
  refused?: Readonly<Record<string, string>>,
): ProxyTypeState => ({
  acknowledged: new Map(Object.entries(versions)),
  acknowledgedCount: Object.keys(versions).length,
  behind: undefined,
  acknowledgedAtMs: 5000,
  rejected: refused && {
    message: "last words",
    resources: new Map(Object.entries(refused)),
    messages: new Map(Object.keys(refused).map((name) => [name, `no ${name}`])),
    atMs: 6000,
  },
});

const proxy = (nodeId: string, cluster: ProxyTypeState, route: ProxyTypeState, connected = true): ProxyState => ({
  nodeId,
  spiffeId: `spiffe://test/${nodeId}`,
  connected,
  connectedAtMs: 4000,
  envoyVersion: "1.40.0",
  types: new Map([
    [CLUSTER_TYPE_URL, cluster],
    [ROUTE_TYPE_URL, route],
  ]),
});
const good = (nodeId: string) => proxy(nodeId, said({ c: "c1" }), said({ r: "r1" }));

function status(input: Partial<StatusInput>): ReadonlyMap<string, ObjectStatusInit> {
  const whole = {
    view: { objects, stale: new Map(), neverGood: [], generations: new Map([[ROUTE, 3]]) },
    findings: [],
    snapshot: new Map(),
    proxies: [],
    expected: input.snapshot?.keys() ?? [],
    reports: [],
    previous: [],
    nowMs: 1000,
    ...input,
  };
  return new Map(describeStatus(whole).map((each) => [`${each.kind}/${each.namespace}/${each.name}`, each]));
}

function condition(object: ObjectStatusInit | undefined, type: string): string | undefined {
  const found = object?.conditions?.find((each) => each.type === type);
  return found && `${found.status} ${found.reason}: ${found.message}`;
}

describe("status", () => {
  test("the manifests of this test are valid", () => {
    expect(parsed.problems).toEqual([]);
    expect(status({}).get(ROUTE)).toMatchObject({
      kind: "HTTPRoute",
      position: { file: "mesh.yaml", line: 9, column: 1 },
      observedGeneration: 3n,
    });
  });

  test.each<[string, Partial<StatusInput>, readonly string[]]>([
    [
      "an object that no proxy needs is in effect",
      {},
      ["True Accepted: ", "True ResolvedRefs: ", "False NoConflicts: ", "True NotUsed: no proxy needs it"],
    ],
    [
      "an object that every proxy runs",
      { snapshot: snapshotOf("default/a", "default/b"), proxies: [good("default/a"), good("default/b")] },
      ["True Accepted: ", "True ResolvedRefs: ", "False NoConflicts: ", "True Programmed: 2 of 2 proxies"],
    ],
    [
      "an object whose file is broken stands at its last good version",
      {
        view: {
          objects,
          generations: new Map(),
          neverGood: [],
          stale: new Map<ObjectKey, readonly Problem[]>([
            [
              ROUTE,
              [1, 2, 3].map((line) => ({
                position: { file: "mesh.yaml", line, column: 4 },
                field: "spec",
                code: "invalid_value" as const,
                message: `mistake ${line}`,
              })),
            ],
          ]),
        },
        snapshot: snapshotOf("default/a"),
        proxies: [good("default/a")],
      },
      [
        "False Invalid: mesh.yaml:1:4: mistake 1 (and 2 more); running the last good version",
        "True ResolvedRefs: ",
        "False NoConflicts: ",
        "True Programmed: 1 of 1 proxy",
      ],
    ],
    [
      "findings turn the conditions that they name",
      {
        findings: (["ResolvedRefs", "ResolvedRefs", "Conflicted"] as const).map(
          (type, index): Finding => ({
            object: fromRoute.object,
            path: ["spec", "rules", 0, "backendRefs", 0, "name"],
            condition: type,
            reason: `Reason${index}`,
            message: `finding ${index}`,
          }),
        ),
      },
      [
        "True Accepted: ",
        "False Reason0: mesh.yaml:17:19: finding 0 (and 1 more)",
        "True Reason2: mesh.yaml:17:19: finding 2",
        "Unknown NotUsed: no proxy needs it",
      ],
    ],
    [
      "an object that gave way to another, and that no proxy needs, is not in effect",
      {
        findings: [
          { object: fromRoute.object, path: [], condition: "Conflicted", reason: "Conflicted", message: "older" },
        ],
      },
      [
        "True Accepted: ",
        "True ResolvedRefs: ",
        "True Conflicted: mesh.yaml:9:1: older",
        "Unknown NotUsed: no proxy needs it",
      ],
    ],
  ])("%s", (_name, input, conditions) => {
    const object = status(input).get(ROUTE);
    const types = ["Accepted", "ResolvedRefs", "Conflicted", "Programmed"];
    expect(types.map((type) => condition(object, type))).toEqual(conditions);
  });

  test.each<[string, ProxyState | undefined, string, string]>([
    ["not connected ever", undefined, "Disconnected", "0 of 1 proxy; default/a has not connected yet"],
    [
      "disconnected, whatever it ran",
      { ...good("default/a"), connected: false },
      "Disconnected",
      "0 of 1 proxy; default/a is disconnected",
    ],
    [
      "at an older version",
      proxy("default/a", said({ c: "c1" }), said({ r: "r0" })),
      "Pending",
      "0 of 1 proxy; default/a has not acknowledged yet",
    ],
    [
      "having refused it: traced to the line of the manifest",
      proxy("default/a", said({ c: "c1" }), said({ r: "r0" }, { r: "r1" })),
      "Rejected",
      "0 of 1 proxy; mesh.yaml:15:3: default/a rejected RouteConfiguration r: no r",
    ],
    [
      "having refused an older version",
      proxy("default/a", said({ c: "c1" }), said({}, { r: "r0" })),
      "Pending",
      "0 of 1 proxy; default/a has not acknowledged yet",
    ],
  ])("a proxy %s", (_name, state, reason, message) => {
    const object = status({ snapshot: snapshotOf("default/a"), proxies: state ? [state] : [] }).get(ROUTE);
    expect(condition(object, "Programmed")).toBe(`False ${reason}: ${message}`);
    expect(object).toMatchObject({
      proxiesTotal: 1,
      proxiesProgrammed: 0,
      laggards: [{ nodeId: "default/a", reason }],
    });
  });

  test("what never was valid is listed, as not in force, at its first problem", () => {
    const problems: readonly Problem[] = [
      { position: { file: "a.yaml", line: 7, column: 5 }, field: "spec.metods", code: "unknown_field", message: "no" },
    ];
    const ref = refOf("AccessPolicy", "digits");
    const view = { objects: [], stale: new Map(), neverGood: [{ ref, problems }], generations: new Map() };
    const object = status({ view }).get("AccessPolicy/default/digits");
    expect(object?.position).toMatchObject({ file: "a.yaml", line: 7 });
    expect(condition(object, "Accepted")).toBe(
      "False Invalid: a.yaml:7:5: no; never valid, so nothing of it is in force",
    );
    expect(condition(object, "Programmed")).toMatch(/^False NotAccepted/);
  });

  test("of a cluster, a Service is listed that a route names, or of which a proxy refuses something", () => {
    const others = parseManifests("mesh.yaml", text.replaceAll("digits", "other")).objects.slice(0, 1);
    const view = { objects: [...objects, ...others], stale: new Map(), neverGood: [], generations: new Map() };
    const cluster = { pods: new Map(), services: new Map(), namespaces: new Map() };
    const listed = (of: Partial<StatusInput>) => [...status(of).keys()];
    const OTHER = "Service/default/other";
    expect(listed({ view: { ...view, cluster: undefined } })).toEqual([SERVICE, ROUTE, OTHER]);
    expect(listed({ view: { ...view, cluster } })).toEqual([SERVICE, ROUTE]);
    const refused = resource(CLUSTER_TYPE_URL, "o", "o1", { object: refOf("Service", "other"), path: ["spec"] });
    const snapshot = new Map([
      [
        "default/a",
        { nodeId: "default/a", resources: new Map([[CLUSTER_TYPE_URL, new Map([["o", refused]])]] as const) },
      ],
    ]);
    const proxies = [proxy("default/a", said({}, { o: "o1" }), said({}))];
    expect(listed({ view: { ...view, cluster }, snapshot, proxies })).toEqual([SERVICE, ROUTE, OTHER]);
  });

  test("counts, laggards by name, the worst reason first", () => {
    const refused = proxy("default/c", said({}, { c: "c1" }), said({}));
    const statuses = status({
      snapshot: snapshotOf("default/c", "default/b", "default/a"),
      proxies: [good("default/a"), refused],
    });
    expect(statuses.get(SERVICE)).toMatchObject({
      proxiesTotal: 3,
      proxiesProgrammed: 1,
      laggards: [
        { nodeId: "default/b", reason: "Disconnected", message: "has not connected yet" },
        { nodeId: "default/c", reason: "Rejected", message: "no c" },
      ],
    });
    expect(condition(statuses.get(SERVICE), "Programmed")).toBe(
      "False Rejected: 1 of 3 proxies; mesh.yaml:7:7: default/c rejected Cluster c: no c (and 1 more)",
    );
    // The refused cluster did not come from the route.
    expect(condition(statuses.get(ROUTE), "Programmed")).toMatch(/^False Disconnected: 1 of 3 proxies/);
  });

  test("a condition keeps its time until its status changes", () => {
    const snapshot = snapshotOf("default/a");
    const first = status({ snapshot, nowMs: 1000 });
    const second = status({ snapshot, nowMs: 2000, previous: [...first.values()], proxies: [good("default/a")] });
    const seconds = (type: string) =>
      second.get(ROUTE)?.conditions?.find((each) => each.type === type)?.lastTransitionTime?.seconds;
    expect(seconds("Accepted")).toBe(1n);
    expect(seconds("Programmed")).toBe(2n);
  });
});

describe("proxies", () => {
  test.each<[string, ProxyTypeState, boolean]>([
    ["exactly what is wanted", said({ c: "c1" }), true],
    ["an older version", said({ c: "c0" }), false],
    ["nothing yet", said({}), false],
    ["something more, to be removed", said({ c: "c1", old: "1" }), false],
  ])("a proxy that runs %s", (_name, clusters, current) => {
    const [described] = describeProxies({
      proxies: [proxy("default/a", clusters, said({ r: "r1" }, { r: "r2" }))],
      snapshot: snapshotOf("default/a"),
      readiness: () => ({ ready: true, reason: "", agentVersion: "0.1.0" }),
    });
    expect(described).toMatchObject({
      nodeId: "default/a",
      ready: true,
      agentVersion: "0.1.0",
      envoyVersion: "1.40.0",
    });
    expect(described?.types).toMatchObject([
      {
        typeUrl: CLUSTER_TYPE_URL,
        resources: clusters.acknowledged.size,
        current,
        error: "",
        acknowledgedAt: { seconds: 5n },
      },
      { typeUrl: ROUTE_TYPE_URL, current: true, error: "last words" },
    ]);
  });

  test("in the order of node ids; without a report not ready, without a snapshot not current; empty assignments do not count", () => {
    const b = proxy("default/b", said({}), said({}));
    const a = {
      ...good("default/a"),
      types: new Map<AdsTypeUrl, ProxyTypeState>([[ENDPOINT_TYPE_URL, said({ c: "empty" })]]),
    };
    const described = describeProxies({
      proxies: [b, a],
      snapshot: snapshotOf("default/a"),
      readiness: () => undefined,
    });
    expect(described).toMatchObject([
      { nodeId: "default/a", ready: false, readyReason: "its agent does not report", types: [{ current: true }] },
      { nodeId: "default/b", types: [{ current: false }, { current: false }] },
    ]);
  });
});
