// Any sequence of snapshots, ACKs, NACKs and reconnects, against a simulated Envoy on a link that delays.

import { ENDPOINT_TYPE_URL, INSPECTION_CONFIG_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Response, SimulatedEnvoy } from "../../test/simulated-envoy.ts";
import { assignment, cluster, inspection, listener, proxySnapshot, routes } from "../../test/xds-resources.ts";
import { layered } from "../snapshot/layers.ts";
import type { ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { referencesOf } from "./references.ts";
import type { AdsRequest } from "./request.ts";
import { Session, type SessionEffect } from "./session.ts";

const NOTHING: ProxySnapshot = { nodeId: "n/a", resources: new Map() };
const ROUTES = ["inbound/n/a/1", "inbound/n/a/2"] as const;
const NAMES = ["a", "b", "c"] as const;
const BAD = 3;

// Content is a small number; number 3 is what Envoy refuses.
const content = fc.constantFrom(1, 1, 1, 2, 2, 2, BAD);
const mesh = fc.record({
  clusters: fc.dictionary(fc.constantFrom(...NAMES), fc.record({ content, endpoints: fc.option(content) }), {
    noNullPrototype: true,
  }),
  routes: fc.dictionary(
    fc.constantFrom(...ROUTES),
    fc.record({ content, to: fc.subarray([...NAMES]), listener: content, isRecorded: fc.boolean() }),
    { noNullPrototype: true },
  ),
  inspection: fc.option(content),
});
type Mesh = typeof mesh extends fc.Arbitrary<infer T> ? T : never;

const made = new Map<string, Resource>();
function once(key: string, make: (version: string) => Resource): Resource {
  const resource = made.get(key) ?? make(key);
  made.set(key, resource);
  return resource;
}

const isBad = ({ version }: Resource) => version.endsWith(`=${BAD}`);

function snapshotOf({ clusters, routes: routeTable, inspection: inspected }: Mesh): ProxySnapshot {
  const resources: Resource[] = [];
  for (const [name, { content: number, endpoints }] of Object.entries(clusters)) {
    resources.push(once(`cluster ${name}=${number}`, (version) => cluster(name, number, version)));
    if (endpoints === null) continue;
    resources.push(once(`assignment ${name}=${endpoints}`, (version) => assignment(name, endpoints, version)));
  }
  if (inspected !== null)
    resources.push(once(`inspection=${inspected}`, (version) => inspection("n/a", String(inspected), version)));
  for (const [name, { content: number, to, listener: listenerContent, isRecorded }] of Object.entries(routeTable)) {
    const weights = Object.fromEntries(to.filter((each) => Object.hasOwn(clusters, each)).map((each) => [each, 1]));
    const recorded = isRecorded && inspected !== null;
    const key = `routes ${name} ${recorded ? "recorded" : ""} ${Object.keys(weights).join()}=${number}`;
    resources.push(once(key, (version) => routes(name, weights, version, recorded)));
    resources.push(once(`listener ${name}=${listenerContent}`, (version) => listener(`on-${name}`, 1, name, version)));
  }
  return inLayers(proxySnapshot("n/a", resources));
}

const layers = new Map<string, ReadonlyMap<string, Resource>>();

/** As translation makes it: equal maps are the same object, and of each type the first name is the proxy's own. */
function inLayers({ nodeId, resources }: ProxySnapshot): ProxySnapshot {
  const layer = (all: readonly Resource[]) => {
    const key = all.map(({ version }) => version).join(" ");
    const map = layers.get(key) ?? new Map(all.map((resource) => [resource.name, resource]));
    layers.set(key, map);
    return map;
  };
  return {
    nodeId,
    resources: new Map(
      [...resources].map(([typeUrl, byName]) => {
        const [first, ...others] = [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
        return [typeUrl, layered(layer(first === undefined ? [] : [first]), layer(others))];
      }),
    ),
  };
}

type Step =
  | { readonly kind: "publish"; readonly mesh: Mesh }
  | { readonly kind: "reconnect" | "settle" }
  | { readonly kind: "deliver" | "answer" | "written"; readonly times: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("publish" as const), mesh }) },
  { weight: 1, arbitrary: fc.constant({ kind: "reconnect" as const }) },
  { weight: 2, arbitrary: fc.constant({ kind: "settle" as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("deliver" as const, "answer" as const, "written" as const),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

class World {
  readonly envoy = new SimulatedEnvoy("n/a", isBad);
  session = new Session();
  snapshot: ProxySnapshot | undefined;
  toEnvoy: Response[] = [];
  toServer: AdsRequest[] = [];
  writes = 0;
  sent = 0;

  constructor() {
    this.reconnect();
  }

  reconnect(): void {
    this.session = new Session();
    this.toEnvoy = [];
    this.writes = 0;
    this.envoy.connect();
    this.toServer = [...this.envoy.takeRequests()];
    if (this.snapshot !== undefined) this.publish(this.snapshot);
  }

  publish(snapshot: ProxySnapshot): void {
    this.snapshot = snapshot;
    this.#take(this.session.handle({ kind: "snapshot", snapshot }));
  }

  written(): boolean {
    if (this.writes === 0) return false;
    this.writes -= 1;
    this.#take(this.session.handle({ kind: "written" }));
    return true;
  }

  answer(): boolean {
    const request = this.toServer.shift();
    if (request !== undefined) this.#take(this.session.handle({ kind: "request", request, nowMs: 0 }));
    return request !== undefined;
  }

  deliver(): boolean {
    const response = this.toEnvoy.shift();
    if (response === undefined) return false;
    this.envoy.receive(response);
    this.toServer.push(...this.envoy.takeRequests());
    this.check();
    return true;
  }

  settle(): void {
    // Bounded: a refusal that is sent again and again would never settle.
    for (let round = 0; round < 1000; round += 1) {
      if (![this.written(), this.answer(), this.deliver()].includes(true)) return;
    }
    throw new Error("never settles");
  }

  check(): void {
    for (const route of this.envoy.routes.running.values()) {
      for (const name of referencesOf(route).clusters) {
        if (!this.envoy.active.has(name)) throw new Error(`${route.version} names ${name}, which is not active`);
      }
      for (const name of referencesOf(route).inspections) {
        if (!this.envoy.inspections.running.has(name)) throw new Error(`${route.version} is recorded by nobody`);
      }
    }
  }

  /** What the session says is behind must be what a comparison of everything finds. */
  #checkBehind(): void {
    for (const [typeUrl, { acknowledged, rejected, behind }] of this.session.typeStates()) {
      if (behind === undefined) continue;
      const wanted = this.snapshot?.resources.get(typeUrl) ?? new Map<string, Resource>();
      const isBehind = ({ name, version }: Resource) =>
        acknowledged.get(name) !== version || rejected?.resources.get(name) === version;
      const found = [...wanted.values()].filter(isBehind).map(({ name }) => name);
      if (found.toSorted().join() !== [...behind.names].toSorted().join())
        throw new Error(`${typeUrl}: ${found.join()} behind, the session says ${[...behind.names].join()}`);
    }
  }

  /** A recorded route goes to a client whose agent has acknowledged what it inspects now. */
  #checkInspected({ resources }: Response): void {
    const acknowledged = this.session.typeStates().get(INSPECTION_CONFIG_TYPE_URL)?.acknowledged;
    const wanted = this.snapshot?.resources.get(INSPECTION_CONFIG_TYPE_URL);
    for (const { version, ...route } of resources)
      for (const name of referencesOf({ version, ...route }).inspections)
        if (acknowledged?.get(name) !== wanted?.get(name)?.version || !acknowledged?.has(name))
          throw new Error(`${version} was sent before the inspection that it needs`);
  }

  #take(effects: readonly SessionEffect[]): void {
    this.#checkBehind();
    for (const effect of effects) {
      if (effect.kind !== "send") continue;
      this.#checkInspected(effect);
      this.toEnvoy.push(effect);
      this.writes += 1;
      this.sent += 1;
      const ofType = this.toEnvoy.filter(({ typeUrl }) => typeUrl === effect.typeUrl);
      if (this.writes > 1 || ofType.length > 1) throw new Error("more than one response is on its way");
    }
  }
}

/** Name → version of what the client must run in the end: the newest snapshot, minus what it refuses and what needs that. */
function newest(snapshot: ProxySnapshot): ReadonlyMap<string, string> {
  const all = [...snapshot.resources.values()].flatMap((ofType) => [...ofType.values()]);
  const bad = new Set(all.filter(isBad).map(({ version }) => version.split("=")[0]));
  const needsBad = (resource: Resource) => {
    const { clusters, inspections } = referencesOf(resource);
    return (
      [...clusters].some((name) => bad.has(`cluster ${name}`) || bad.has(`assignment ${name}`)) ||
      (inspections.size > 0 && bad.has("inspection"))
    );
  };
  return new Map(
    all
      .filter((each) => !isBad(each) && !needsBad(each))
      .map(({ typeUrl, name, version }) => [`${typeUrl} ${name}`, version]),
  );
}

/** The same of what it does run; assignments and routes that nothing asks for left out. */
function running({ envoy }: World): ReadonlyMap<string, string> {
  const types = [envoy.clusters, envoy.endpoints, envoy.listeners, envoy.routes, envoy.inspections];
  const all = types.flatMap((type) => [...type.running.values()]);
  return new Map(all.map(({ typeUrl, name, version }) => [`${typeUrl} ${name}`, version]));
}

/** What was asked for in vain: only a listener or cluster that was refused leaves its routes or assignment unasked. */
function unasked({ envoy }: World): ReadonlySet<string> {
  return new Set([
    ...NAMES.filter((name) => !envoy.endpoints.subscribed.has(name)).map((name) => `${ENDPOINT_TYPE_URL} ${name}`),
    ...ROUTES.filter((name) => !envoy.routes.subscribed.has(name)).map((name) => `${ROUTE_TYPE_URL} ${name}`),
  ]);
}

describe("a session with a simulated Envoy", () => {
  test("ends at the newest snapshot, and no route is ever without its cluster", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const world = new World();
        let wasBad = false;
        for (const each of steps) {
          switch (each.kind) {
            case "publish": {
              const snapshot = snapshotOf(each.mesh);
              wasBad ||= [...snapshot.resources.values()].some((ofType) => [...ofType.values()].some(isBad));
              world.publish(snapshot);
              break;
            }
            case "reconnect":
              // A client that applied half of a response does not say so on its next stream.
              if (world.envoy.isCoherent()) world.reconnect();
              break;
            case "settle":
              world.settle();
              break;
            case "deliver":
            case "answer":
            case "written":
              for (let time = 0; time < each.times; time += 1) world[each.kind]();
              break;
          }
        }
        world.settle();
        const runs = running(world);
        const skipped = unasked(world);
        const expected = [...newest(world.snapshot ?? NOTHING)].filter(([name]) => !skipped.has(name));
        expect(Object.fromEntries(runs)).toMatchObject(Object.fromEntries(expected));
        // Without refusals there is nothing else, but for assignments of clusters whose endpoints nobody gave.
        const extra = [...runs].filter(
          ([name, version]) => version !== "empty" && !newest(world.snapshot ?? NOTHING).has(name),
        );
        expect(wasBad ? [] : extra).toEqual([]);
        const { sent } = world;
        if (world.snapshot !== undefined) world.publish({ ...world.snapshot });
        world.settle();
        expect(world.sent, "an unchanged snapshot sends nothing").toBe(sent);
      }),
      { numRuns: 1500 },
    );
  });
});
