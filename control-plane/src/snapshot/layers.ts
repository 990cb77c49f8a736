// Maps of resources that many proxies share in part: one map over several, none of them copied.
import type { Resource } from "./snapshot.ts";

type Resources = ReadonlyMap<string, Resource>;

/** Over two maps that have no name in common. Neither changes. */
class Layered implements Resources {
  readonly layers: readonly [own: Resources, shared: Resources];

  constructor(own: Resources, shared: Resources) {
    this.layers = [own, shared];
  }

  get size(): number {
    return this.layers[0].size + this.layers[1].size;
  }

  has(name: string): boolean {
    return this.layers[0].has(name) || this.layers[1].has(name);
  }

  get(name: string): Resource | undefined {
    return this.layers[0].get(name) ?? this.layers[1].get(name);
  }

  forEach(visit: (resource: Resource, name: string, map: Resources) => void): void {
    for (const [name, resource] of this) visit(resource, name, this);
  }

  *entries(): MapIterator<[string, Resource]> {
    for (const layer of this.layers) yield* layer;
  }

  *keys(): MapIterator<string> {
    for (const layer of this.layers) yield* layer.keys();
  }

  *values(): MapIterator<Resource> {
    for (const layer of this.layers) yield* layer.values();
  }

  [Symbol.iterator](): MapIterator<[string, Resource]> {
    return this.entries();
  }
}

const known = new WeakMap<Resources, WeakMap<Resources, Resources>>();

/**
 * A proxy's own resources of one type over those that it shares: their names differ, and neither map changes any more. The
 * same two maps give the same object every time.
 */
export function layered(own: Resources, shared: Resources): Resources {
  if (own.size === 0) return shared;
  if (shared.size === 0) return own;
  const byShared = known.get(own) ?? new WeakMap<Resources, Resources>();
  known.set(own, byShared);
  const map = byShared.get(shared) ?? new Layered(own, shared);
  byShared.set(shared, map);
  return map;
}

/** The maps that one consists of, in a fixed order: itself, where it has no layers. */
export function layersOf(resources: Resources): readonly Resources[] {
  return resources instanceof Layered ? resources.layers : [resources];
}
