import { isDeepStrictEqual } from "node:util";
import { isMessage } from "@bufbuild/protobuf";
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capturedModel, capturedModels, pod, type ServiceFixture, servicePort } from "../../test/captured-models.ts";
import { build, parse, TRUST_DOMAIN } from "../../test/mesh.ts";
import type { Model, ServicePort } from "../model/model.ts";
import { checkConsistency, checkProxy } from "../snapshot/consistency.ts";
import { decodeResource } from "../snapshot/decode.ts";
import { referencesOf } from "../snapshot/references.ts";
import type { MeshSnapshot, ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { translate } from "./translate.ts";
import { Translator } from "./translator.ts";

const CALLER = "branch/teller-1";
const SERVER = "models/digits-1";

function proxyOf(snapshot: MeshSnapshot, nodeId: string): ProxySnapshot {
  const proxy = snapshot.get(nodeId);
  if (proxy === undefined) throw new Error(`no proxy ${nodeId}`);
  return proxy;
}

/** Names, versions and origins of everything; the order of a map means nothing. */
function contentOf({ resources }: ProxySnapshot): readonly string[] {
  return [...resources.values()]
    .flatMap((map) => [...map.values()].map(({ name, version, origins }) => JSON.stringify([name, version, origins])))
    .toSorted();
}

/** Types whose maps are other objects than before. */
function changed(before: ProxySnapshot, after: ProxySnapshot): readonly string[] {
  return [...after.resources].flatMap(([typeUrl, map]) => (map === before.resources.get(typeUrl) ? [] : [typeUrl]));
}

/** The model with one service port otherwise; the rest are the same objects. */
function withService(model: Model, id: string, fixture: ServiceFixture): Model {
  return { ...model, services: new Map([...model.services, [id, servicePort(id, fixture)]]) };
}

const digits: ServiceFixture = {
  protocol: "http",
  clusterIps: ["10.96.0.1"],
  endpoints: ["models/digits-1@10.0.1.2:8080", "models/digits-2@10.0.1.3:8080"],
};
const other: ServiceFixture = { ...digits, clusterIps: ["10.96.0.2"] };
const model = capturedModel(
  [
    { nodeId: CALLER, address: "10.0.1.9" },
    { nodeId: SERVER, address: "10.0.1.2", inbound: { 8080: { protocol: "http" } } },
  ],
  { "models/digits/80": digits, "models/other/80": other },
);

describe("of a model that is the same, or equal", () => {
  test.each(Object.entries(capturedModels))("%s comes out as the same objects", (_, one) => {
    const translator = new Translator();
    const before = translator.translate(one);
    const proxies = [...before.keys()].map((nodeId) => proxyOf(before, nodeId));
    const anew: Model = {
      ...one,
      workloads: new Map([...one.workloads].map(([id, workload]) => [id, { ...workload }])),
      services: new Map([...one.services].map(([id, service]) => [id, { ...service }])),
    };
    for (const again of [one, anew]) {
      const after = translator.translate(again);
      expect(proxies.filter((proxy) => proxyOf(after, proxy.nodeId) !== proxy)).toEqual([]);
    }
  });

  test("manifests translate so, too", () => {
    const { model: ofManifests } = build(
      parse(`
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: server, namespace: models, labels: {app: digits}}
spec: {serviceAccount: digits, address: 10.0.0.1, inbound: [{port: 8443, appPort: 8080, protocol: http1}]}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: caller, namespace: models}
spec: {serviceAccount: caller, address: 10.0.0.2, upstreams: [{service: models/digits, localPort: 15100}]}
---
apiVersion: v1
kind: Service
metadata: {name: digits, namespace: models}
spec: {selector: {app: digits}, ports: [{port: 80, targetPort: 8080}]}
`),
    );
    const translator = new Translator();
    const before = proxyOf(translator.translate(ofManifests), "models/caller");
    const anew = { ...ofManifests, services: new Map([...ofManifests.services].map(([id, one]) => [id, { ...one }])) };
    expect(proxyOf(translator.translate(anew), "models/caller")).toBe(before);
  });
});

describe("of a model that changed in part", () => {
  const after = (changedModel: Model, nodeId: string) => {
    const translator = new Translator();
    const before = proxyOf(translator.translate(model), nodeId);
    const now = proxyOf(translator.translate(changedModel), nodeId);
    const fresh = translate(changedModel).get(nodeId);
    expect(contentOf(now)).toEqual(fresh && contentOf(fresh));
    return changed(before, now);
  };
  test.each<[what: string, changedModel: Model, ofCaller: readonly string[], ofServer: readonly string[]]>([
    [
      "endpoints",
      withService(model, "models/digits/80", { ...digits, endpoints: ["models/digits-1@10.0.1.2:8080"] }),
      [ENDPOINT_TYPE_URL],
      [ENDPOINT_TYPE_URL],
    ],
    [
      "a route",
      withService(model, "models/digits/80", { ...digits, route: { "models/other/80": 1, "models/digits/80": 9 } }),
      [ROUTE_TYPE_URL],
      [ROUTE_TYPE_URL],
    ],
    [
      "who is behind a service",
      withService(model, "models/digits/80", { ...digits, serviceAccounts: ["models/new"] }),
      [CLUSTER_TYPE_URL],
      [CLUSTER_TYPE_URL],
    ],
    [
      "its cluster IP",
      withService(model, "models/digits/80", { ...digits, clusterIps: ["10.96.0.7"] }),
      [LISTENER_TYPE_URL],
      [LISTENER_TYPE_URL],
    ],
  ])("%s: only that type of resource is another map", (_, changedModel, ofCaller, ofServer) => {
    expect(after(changedModel, CALLER)).toEqual(ofCaller);
    expect(after(changedModel, SERVER)).toEqual(ofServer);
  });

  test("one pod changes nothing for the others", () => {
    const scope = model.workloads.get(CALLER)?.capture?.scope;
    if (scope === undefined) throw new Error("no scope");
    const workload = pod(scope, { nodeId: SERVER, address: "10.0.1.2", inbound: { 8080: { protocol: "auto" } } });
    const changedModel = { ...model, workloads: new Map([...model.workloads, [SERVER, workload]]) };
    expect(after(changedModel, CALLER)).toEqual([]);
    expect(after(changedModel, SERVER)).toEqual([LISTENER_TYPE_URL]);
  });

  test("a snapshot stays what it was, asked before or after a newer one", () => {
    const translator = new Translator();
    const [old, asked] = [translator.translate(model), translator.translate(model)];
    const changedModel = withService(model, "models/digits/80", { ...digits, endpoints: [] });
    const before = proxyOf(asked, CALLER);
    const now = translator.translate(changedModel);
    expect(changed(before, proxyOf(now, CALLER))).toEqual([ENDPOINT_TYPE_URL]);
    expect(proxyOf(asked, CALLER)).toBe(before);
    expect(contentOf(proxyOf(old, CALLER))).toEqual(contentOf(before));
    expect(contentOf(proxyOf(now, CALLER))).toEqual(contentOf(proxyOf(translator.translate(changedModel), CALLER)));
  });

  test("knows its proxies without having made them", () => {
    const snapshot = new Translator().translate(model);
    expect([
      snapshot.size,
      [...snapshot.keys()],
      snapshot.has(CALLER),
      snapshot.has("x/y"),
      snapshot.get("x/y"),
    ]).toEqual([2, [CALLER, SERVER], true, false, undefined]);
  });
});

test("two trust domains are two translators", () => {
  const translator = new Translator();
  translator.translate(model);
  expect(() => translator.translate({ ...model, trustDomain: `not.${TRUST_DOMAIN}` })).toThrow("one trust domain");
});

const address = fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3");
const serviceIds = ["n/a/80", "n/b/80", "n/c/81", "n/d/81"];
const fixture: fc.Arbitrary<ServiceFixture> = fc.record({
  protocol: fc.constantFrom("http", "tcp", "auto"),
  clusterIps: fc.oneof(
    fc.constant([]),
    fc.uniqueArray(fc.constantFrom("10.96.0.1", "10.96.0.2", "10.96.0.3"), { minLength: 1, maxLength: 2 }),
  ),
  endpoints: fc.uniqueArray(
    fc.tuple(fc.boolean(), address).map(([isMesh, at]) => (isMesh ? `n/${at}@${at}:80` : `${at}:80`)),
    { maxLength: 3, selector: (text) => text.split("@").at(-1) },
  ),
  serviceAccounts: fc.constantFrom(["n/s"], ["n/s", "n/t"], []),
  plainEndpoints: fc.boolean(),
});
const service = fc.record({ fixture, to: fc.constantFrom(undefined, ...serviceIds) });
const edit = fc.record({
  id: fc.constantFrom(...serviceIds),
  service: fc.option(service, { nil: undefined, freq: 8 }),
});

test("whatever changes, in whatever order, comes out as from scratch; no two listeners want one address", () => {
  const first = fc.tuple(service, service, service, service);
  fc.assert(
    fc.property(first, fc.array(edit, { minLength: 1, maxLength: 8 }), (initial, edits) => {
      const translator = new Translator();
      const written = new Map(serviceIds.map((id, index) => [id, initial[index]]));
      let before = capturedModel([{ nodeId: CALLER, address: "10.0.9.9" }], {});
      for (const { id: edited, service: value } of [undefined, ...edits].map(
        (each) => each ?? { id: "", service: undefined },
      )) {
        if (edited !== "") written.set(edited, value);
        before = kept(before, written);
        const proxy = proxyOf(translator.translate(before), CALLER);
        expect(contentOf(proxy)).toEqual(contentOf(proxyOf(new Translator().translate(before), CALLER)));
        expect(checkProxy(proxy)).toEqual([]);
        // A route that nobody asks for would never be acknowledged.
        const asked = [...(proxy.resources.get(LISTENER_TYPE_URL)?.values() ?? [])].flatMap((listener) =>
          referencesOf(listener).flatMap(({ typeUrl, name }) => (typeUrl === ROUTE_TYPE_URL ? [name] : [])),
        );
        expect(new Set(proxy.resources.get(ROUTE_TYPE_URL)?.keys())).toEqual(new Set(asked));
        const sockets = [...(proxy.resources.get(LISTENER_TYPE_URL)?.values() ?? [])].flatMap(socketsOf);
        expect(new Set(sockets).size).toBe(sockets.length);
      }
    }),
    { numRuns: 100 },
  );
});

test("an address that anybody can write down is nobody's against a cluster IP or a pod of the mesh that has it", () => {
  const http = { protocol: "http", clusterIps: [] } as const;
  const services: Record<string, ServiceFixture> = {
    "a/thief/80": {
      ...http,
      endpoints: ["a/own@10.0.7.1:80", "10.96.0.1:80", "10.0.0.1:80", "10.0.8.1:80"],
      route: { "a/thief/80": 1 },
      plainEndpoints: true,
    },
    "models/digits/80": { ...http, clusterIps: ["10.96.0.1"], endpoints: [] },
    "models/headless/80": { ...http, endpoints: ["models/digits-0@10.0.0.1:80"] },
    // Neither has a better claim: the first by name.
    "models/outside/80": { ...http, endpoints: ["10.0.8.1:80"], plainEndpoints: true },
  };
  const model = capturedModel([{ nodeId: CALLER, address: "10.0.9.9" }], services);
  const listeners = proxyOf(new Translator().translate(model), CALLER).resources.get(LISTENER_TYPE_URL);
  const virtual = [...(listeners?.keys() ?? [])].filter((name) => name.startsWith("outbound/"));
  expect(new Set(virtual)).toEqual(
    new Set([
      "outbound/a/thief/80/10.0.7.1",
      "outbound/a/thief/80/10.0.8.1",
      "outbound/models/digits/80",
      "outbound/models/headless/80/10.0.0.1",
    ]),
  );
});

type Written = ReadonlyMap<string, { readonly fixture: ServiceFixture; readonly to: string | undefined } | undefined>;

/** The model of what is written, with everything that is as before the same object, as models promise. */
function kept(before: Model, written: Written): Model {
  const fixtures = [...written].flatMap(([id, service]): [string, ServiceFixture][] => {
    if (service === undefined) return [];
    const { to } = service;
    return [
      [
        id,
        to !== undefined && written.get(to) !== undefined
          ? { ...service.fixture, route: { [to]: 1 } }
          : service.fixture,
      ],
    ];
  });
  const next = capturedModel([{ nodeId: CALLER, address: "10.0.9.9" }], Object.fromEntries(fixtures));
  const services = [...next.services].map(([id, service]): [string, ServicePort] => {
    const former = before.services.get(id);
    return [id, former !== undefined && isDeepStrictEqual(former, service) ? former : service];
  });
  const [was, is] = [before, next].map((model) => [...model.services.keys()].toSorted().join());
  return { ...next, workloads: was === is ? before.workloads : next.workloads, services: new Map(services) };
}

function socketsOf(resource: Resource): readonly string[] {
  const message = decodeResource(resource);
  if (!isMessage(message, ListenerSchema)) throw new Error(`${resource.name} is no Listener`);
  return [message.address, ...message.additionalAddresses.map((more) => more.address)].map((at) => {
    if (at?.address.case !== "socketAddress") throw new Error(`${resource.name} has no socket`);
    return `${at.address.value.address} ${at.address.value.portSpecifier.value}`;
  });
}

describe("with 1,000 services and 200 pods that see them all", () => {
  const services: Record<string, ServiceFixture> = {};
  for (let index = 0; index < 1_000; index += 1)
    services[`n${index % 20}/s${index}/80`] = {
      protocol: "http",
      clusterIps: [`10.96.${index >> 8}.${index & 255}`],
      endpoints: Array.from(
        { length: 5 },
        (_, nth) => `n${index % 20}/p${index}-${nth}@10.${nth}.${index >> 8}.${index & 255}:80`,
      ),
    };
  const pods = Array.from({ length: 200 }, (_, index) => ({
    nodeId: `n${index % 20}/p${index}-0`,
    address: `10.0.0.${index}`,
    inbound: { 80: { protocol: "http" as const } },
  }));
  const large = capturedModel(pods, services);
  const translator = new Translator();
  const first = translator.translate(large);
  for (const nodeId of first.keys()) proxyOf(first, nodeId);

  test("everything that they share is there once", () => {
    const maps = new Set(
      [...first.keys()].map((nodeId) => proxyOf(first, nodeId).resources.get(ROUTE_TYPE_URL)?.get("outbound/n0/s0/80")),
    );
    expect(maps.size).toBe(1);
    expect(checkConsistency(first)).toEqual([]);
  });

  test("endpoints of one service that change cost a few milliseconds, for all of them", () => {
    const id = "n3/s3/80";
    const service = large.services.get(id);
    if (service === undefined) throw new Error(`no service ${id}`);
    const times = Array.from({ length: 20 }, (_, nth) => {
      const endpoints = service.endpoints.slice(0, nth % 5);
      const next = { ...large, services: new Map([...large.services, [id, { ...service, endpoints }]]) };
      const before = process.cpuUsage();
      const snapshot = translator.translate(next);
      for (const nodeId of snapshot.keys()) proxyOf(snapshot, nodeId);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    });
    const median = times.toSorted((a, b) => a - b)[10];
    // 2 ms of CPU, measured. To look at every service anew costs 10, at every resource of every pod hundreds.
    expect(median).toBeLessThan(20);
  });
});
