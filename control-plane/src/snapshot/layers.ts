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

const NOTHING: Resources = new Map();
const changes = new WeakMap<Resources, WeakMap<Resources, ReadonlySet<string>>>();

/**
 * The names whose content is not the same in both: each name that came, went or has another version, and maybe some that only
 * moved between layers. What two maps share is not looked at, and two layers are compared once, for however many proxies.
 */
export function changedNames(before: Resources, after: Resources): ReadonlySet<string> {
  if (before === after) return NO_NAMES;
  const [gone, come] = [layersOf(before), layersOf(after)];
  const left = gone.filter((layer) => !come.includes(layer));
  const added = come.filter((layer) => !gone.includes(layer));
  const pairs = Array.from({ length: Math.max(left.length, added.length) }, (_, index) =>
    // From the end: shared with shared.
    changedInLayer(left.at(-1 - index) ?? NOTHING, added.at(-1 - index) ?? NOTHING),
  );
  const [only, ...others] = pairs;
  return others.length === 0 ? (only ?? NO_NAMES) : new Set(pairs.flatMap((names) => [...names]));
}

const NO_NAMES: ReadonlySet<string> = new Set();

function changedInLayer(before: Resources, after: Resources): ReadonlySet<string> {
  const known = changes.get(before) ?? new WeakMap<Resources, ReadonlySet<string>>();
  changes.set(before, known);
  let names = known.get(after);
  if (names === undefined) {
    names = compare(before, after);
    known.set(after, names);
  }
  return names;
}

function compare(before: Resources, after: Resources): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name, resource] of after) {
    const other = before.get(name);
    if (other !== resource && other?.version !== resource.version) names.add(name);
  }
  for (const name of before.keys()) if (!after.has(name)) names.add(name);
  return names;
}
