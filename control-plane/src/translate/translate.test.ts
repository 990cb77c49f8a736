import { ADS_TYPE_URLS, INSPECTION_CONFIG_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mesh, objectOf } from "../../test/arbitrary-mesh.ts";
import { build, parse } from "../../test/mesh.ts";
import { checkConsistency } from "../snapshot/consistency.ts";
import type { NodeId, ProxySnapshot } from "../snapshot/snapshot.ts";

/** Names, versions and origins of everything, independent of the order of maps. */
function contentOf(snapshot: ReadonlyMap<NodeId, ProxySnapshot>) {
  return Object.fromEntries(
    [...snapshot].map(([nodeId, { resources }]) => [
      nodeId,
      [...resources.values()]
        .flatMap((byName) => [...byName.values()])
        .map(({ typeUrl, name, version, origins }) => JSON.stringify([typeUrl, name, version, origins]))
        .toSorted(),
    ]),
  );
}

describe("any mesh", () => {
  test("translates to the same, whatever the order of its objects", () => {
    const shuffled = mesh.chain((objects) =>
      fc.tuple(fc.constant(objects), fc.shuffledSubarray([...objects], { minLength: objects.length })),
    );
    fc.assert(
      fc.property(shuffled, ([objects, others]) => {
        const [one, other] = [build(objects), build(others)];
        expect(contentOf(other.snapshot)).toEqual(contentOf(one.snapshot));
        expect(new Set(other.findings)).toEqual(new Set(one.findings));
      }),
      { numRuns: 80 },
    );
  });

  test("refers to nothing that its proxies do not get", () => {
    fc.assert(
      fc.property(mesh, (objects) => {
        expect(checkConsistency(build(objects).snapshot)).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  test("is built on without ever failing when objects come, go and change", () => {
    fc.assert(
      fc.property(fc.array(mesh, { minLength: 2, maxLength: 4 }), (steps) => {
        let lastResolved = new Map() as ReturnType<typeof build>["resolved"];
        for (const objects of steps) {
          const { snapshot, resolved } = build(objects, { lastResolved });
          expect(checkConsistency(snapshot)).toEqual([]);
          lastResolved = resolved;
        }
      }),
      { numRuns: 40 },
    );
  });

  test("has a position in its manifests for every resource", () => {
    fc.assert(
      fc.property(mesh, (objects) => {
        const { snapshot } = build(objects);
        const all = [...snapshot.values()].flatMap(({ resources }) => [...resources.values()]);
        const unknown = all.flatMap((byName) => [...byName.values()]).filter(({ origins }) => origins.length === 0);
        expect(unknown.map(({ name }) => name)).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });
});

const workload = (name: string, extra: string) => `
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: models, labels: {app: digits}}
spec: {serviceAccount: digits, address: 10.0.0.${name.length}, ${extra}}
---`;
const digits = `
${workload("server", "inbound: [{port: 8443, appPort: 8080, protocol: http1}]")}
${workload("caller", "upstreams: [{service: models/digits, localPort: 15100}]")}
${workload("another", "upstreams: [{service: models/digits, localPort: 15100}]")}
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: 8080}]}
`;
const policy = (allow: string) => `---
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}], allow: ${allow}}
`;

function versionsOf(snapshot: ReadonlyMap<NodeId, ProxySnapshot>): Map<string, string> {
  const all = [...snapshot.values()].flatMap(({ nodeId, resources }) =>
    [...resources].flatMap(([typeUrl, byName]) =>
      [...byName].map(([name, { version }]): [string, string] => [`${nodeId} ${typeUrl} ${name}`, version]),
    ),
  );
  return new Map(all);
}

test("a policy that comes, changes and goes touches the route of its server only", () => {
  const [none, closed, open] = ["", policy("[]"), policy("[{name: all, from: [{namespace: a}]}]")].map((text) =>
    versionsOf(build(parse(digits + text)).snapshot),
  );
  const changed = (a = new Map<string, string>(), b = new Map<string, string>()) =>
    [...a].filter(([name, version]) => b.get(name) !== version).map(([name]) => name);
  const route = [`models/server ${ROUTE_TYPE_URL} inbound/models/server/8443`];
  expect([changed(none, closed), changed(closed, open), changed(open, none)]).toEqual([route, route, route]);
});

test("an audit that comes, changes and goes touches the routes of its server and its agent only", () => {
  const audit = (spec: string) => `---
apiVersion: hedgerow.dev/v1alpha1
kind: AuditPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}], ${spec}}
`;
  const traffic = (bytes: string) => `---
apiVersion: hedgerow.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: digits, namespace: models}
spec: {targetRefs: [{kind: Service, name: digits}], maxRequestBytes: ${bytes}}
`;
  const texts = ["", audit("failMode: closed"), audit("failMode: open"), audit("failMode: open") + traffic("1Mi"), ""];
  const versions = texts.map((text) => versionsOf(build(parse(digits + text)).snapshot));
  const changed = versions.slice(1).map((after, index) => {
    const before = versions[index] ?? new Map<string, string>();
    return [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name));
  });
  const route = `models/server ${ROUTE_TYPE_URL} inbound/models/server/8443`;
  const agent = `models/server ${INSPECTION_CONFIG_TYPE_URL} models/server`;
  const callers = ["another", "caller"].map((name) => `models/${name} ${ROUTE_TYPE_URL} outbound/models/digits/80`);
  expect(changed.map((names) => names.toSorted())).toEqual(
    [
      [route, agent],
      [route, agent],
      [route, agent, ...callers],
      [route, agent, ...callers],
    ].map((names) => names.toSorted()),
  );
});

test("callers of one service share its resources and their bytes", () => {
  const { snapshot } = build(parse(digits));
  const [one, another] = ["models/caller", "models/another"].map((nodeId) => snapshot.get(nodeId)?.resources);
  const name = "outbound/models/digits/80";
  const both = ADS_TYPE_URLS.map((typeUrl) => [one?.get(typeUrl)?.get(name), another?.get(typeUrl)?.get(name)]);
  // Its origin is the caller's own manifest, so the Listener is two objects of the same bytes.
  const whole = both.filter(([resource]) => resource !== undefined && resource.typeUrl !== LISTENER_TYPE_URL);
  expect(whole.map(([resource, other]) => resource === other)).toEqual([true, true, true]);
  expect(both.map(([resource, other]) => resource?.encoded === other?.encoded)).toEqual(both.map(() => true));
});

test("equal content of two workloads shares its bytes, and each knows its own manifest", () => {
  const second = workload("server-2", "inbound: [{port: 8443, appPort: 8080, protocol: http1}]");
  const { snapshot } = build(parse(second + digits));
  const [one, two] = ["models/server", "models/server-2"].map((nodeId) =>
    snapshot.get(nodeId)?.resources.get("type.googleapis.com/envoy.config.cluster.v3.Cluster")?.get("inbound/8443"),
  );
  expect(two?.encoded).toBe(one?.encoded);
  expect([one?.origins[0]?.object.name, two?.origins[0]?.object.name]).toEqual(["server", "server-2"]);
});

test("1,000 services and 500 proxies that each call 20 of them take little time and share their bytes", () => {
  const objects = Array.from({ length: 1000 }, (_, index) => [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: `s${index}`, namespace: `n${index % 20}` },
      spec: { selector: { app: `s${index}` }, ports: [{ port: 80, targetPort: 8080 }] },
    },
    ...(index % 2 === 0
      ? [
          {
            apiVersion: "hedgerow.dev/v1alpha1",
            kind: "Workload",
            metadata: { name: `w${index}`, namespace: `n${index % 20}`, labels: { app: `s${index}` } },
            spec: {
              serviceAccount: "s",
              address: "10.0.0.1",
              inbound: [{ port: 8443, appPort: 8080, protocol: "grpc" }],
              upstreams: Array.from({ length: 20 }, (_, nth) => {
                const target = (index * 7 + nth * 13) % 1000;
                return { service: `n${target % 20}/s${target}`, localPort: 15000 + nth };
              }),
            },
          },
        ]
      : []),
  ])
    .flat()
    .map(objectOf);
  const before = process.cpuUsage();
  const { snapshot } = build(objects);
  const { user, system } = process.cpuUsage(before);
  const all = [...snapshot.values()].flatMap(({ resources }) =>
    [...resources.values()].flatMap((byName) => [...byName.values()]),
  );
  const bytes = new Set(all.map(({ encoded }) => encoded));
  expect([snapshot.size, all.length]).toEqual([500, 500 * (3 + 20 * 4 + 1)]);
  expect(bytes.size).toBeLessThan(all.length / 2);
  // Quadratic work would take minutes.
  expect((user + system) / 1_000).toBeLessThan(10_000);
});
