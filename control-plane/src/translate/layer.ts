// Resources by type, in maps that stay the same objects while nothing in them changes.
import {
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "@hedgerow/proto";
import type { Resource } from "../snapshot/snapshot.ts";

type Resources = ReadonlyMap<string, Resource>;

/** By type, each of the types that we serve. */
export type Layer = ReadonlyMap<AdsTypeUrl, Resources>;

/** Every type that a layer has, in the order in which they go out. */
export const LAYER_TYPES = [
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
] as const;

/** Sorts resources by type; two of one name and type are one. Takes over the maps of `before` that would be the same. */
export function layerOf(resources: Iterable<Resource>, before: Layer | undefined): Layer {
  const maps = new Map<AdsTypeUrl, Map<string, Resource>>(LAYER_TYPES.map((typeUrl) => [typeUrl, new Map()]));
  for (const resource of resources) maps.get(resource.typeUrl)?.set(resource.name, resource);
  return new Map(
    [...maps].map(([typeUrl, map]): [AdsTypeUrl, Resources] => {
      const earlier = before?.get(typeUrl);
      return [typeUrl, earlier !== undefined && isSame(earlier, map) ? earlier : map];
    }),
  );
}

/** With these in the place of those of their name; types in which none is another stay the same maps. */
export function patched(layer: Layer, resources: Iterable<Resource>): Layer {
  const changed = new Map<AdsTypeUrl, Map<string, Resource>>();
  for (const resource of resources) {
    const { typeUrl, name } = resource;
    const before = layer.get(typeUrl);
    if (before?.get(name) === resource) continue;
    const map = changed.get(typeUrl) ?? new Map(before);
    changed.set(typeUrl, map.set(name, resource));
  }
  return changed.size === 0 ? layer : new Map([...layer, ...changed]);
}

export const EMPTY_LAYER: Layer = layerOf([], undefined);

function isSame(a: Resources, b: Resources): boolean {
  if (a.size !== b.size) return false;
  for (const [name, resource] of b) if (a.get(name) !== resource) return false;
  return true;
}
