import type { AdsTypeUrl } from "@hedgerow/proto";
import { layersOf } from "./layers.ts";
import { type Reference, referencesOf } from "./references.ts";
import type { MeshSnapshot, NodeId, ProxySnapshot, Resource } from "./snapshot.ts";

/** A resource that refers to one that its proxy does not get: Envoy would wait for it, or refuse requests. */
export interface Inconsistency {
  readonly nodeId: NodeId;
  readonly resource: Reference;
  readonly missing: Reference;
}

type Resources = ReadonlyMap<string, Resource>;

/**
 * Proves from the bytes that go out that every reference resolves within each proxy: assignments of clusters and clusters of
 * assignments, routes of listeners, clusters of routes, listeners that the agent waits for. Empty: fit to be published.
 * Makes every proxy's snapshot.
 */
export function checkConsistency(snapshot: MeshSnapshot): readonly Inconsistency[] {
  return [...snapshot.keys()].flatMap((nodeId) => {
    const proxy = snapshot.get(nodeId);
    return proxy === undefined ? [] : checkProxy(proxy);
  });
}

/** As `checkConsistency`, of one proxy. What it shares with others was proved with the first of them. */
export function checkProxy({ nodeId, resources }: ProxySnapshot): readonly Inconsistency[] {
  const found: Inconsistency[] = [];
  for (const layer of [...resources.values()].flatMap(layersOf)) {
    for (const [typeUrl, needed] of neededBy(layer)) {
      const there = resources.get(typeUrl);
      if (there !== undefined && layersOf(there).some((candidate) => covers(candidate, needed))) continue;
      for (const [name, by] of needed)
        if (there?.has(name) !== true)
          for (const { typeUrl: byType, name: byName } of by)
            found.push({ nodeId, resource: { typeUrl: byType, name: byName }, missing: { typeUrl, name } });
    }
  }
  return found;
}

/** Names, and what refers to each. */
type Needed = ReadonlyMap<string, readonly Resource[]>;

const neededKnown = new WeakMap<Resources, ReadonlyMap<AdsTypeUrl, Needed>>();

function neededBy(layer: Resources): ReadonlyMap<AdsTypeUrl, Needed> {
  const known = neededKnown.get(layer);
  if (known !== undefined) return known;
  const needed = new Map<AdsTypeUrl, Map<string, Resource[]>>();
  for (const resource of layer.values()) {
    for (const { typeUrl, name } of referencesOf(resource)) {
      const byName = needed.get(typeUrl) ?? new Map<string, Resource[]>();
      needed.set(typeUrl, byName);
      const by = byName.get(name);
      if (by === undefined) byName.set(name, [resource]);
      else by.push(resource);
    }
  }
  neededKnown.set(layer, needed);
  return needed;
}

const coversKnown = new WeakMap<Resources, WeakMap<Needed, boolean>>();

function covers(layer: Resources, needed: Needed): boolean {
  const byNeeded = coversKnown.get(layer) ?? new WeakMap<Needed, boolean>();
  coversKnown.set(layer, byNeeded);
  let all = byNeeded.get(needed);
  if (all === undefined) {
    all = [...needed.keys()].every((name) => layer.has(name));
    byNeeded.set(needed, all);
  }
  return all;
}
