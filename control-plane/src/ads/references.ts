import { CLUSTER_TYPE_URL, INSPECTION_CONFIG_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { referencesOf as referencesWithin } from "../snapshot/references.ts";
import type { Resource } from "../snapshot/snapshot.ts";

/** Names that a resource needs the proxy to hold. */
export interface References {
  readonly clusters: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  readonly inspections: ReadonlySet<string>;
}

const NONE: References = { clusters: new Set(), routes: new Set(), inspections: new Set() };

const known = new WeakMap<Uint8Array, References>();

/** What a RouteConfiguration or Listener refers to. */
export function referencesOf(resource: Resource): References {
  if (resource.typeUrl !== ROUTE_TYPE_URL && resource.typeUrl !== LISTENER_TYPE_URL) return NONE;
  let references = known.get(resource.encoded);
  if (references === undefined) {
    const namesOf = (wanted: string) =>
      new Set(referencesWithin(resource).flatMap(({ typeUrl, name }) => (typeUrl === wanted ? [name] : [])));
    references = {
      clusters: namesOf(CLUSTER_TYPE_URL),
      routes: namesOf(ROUTE_TYPE_URL),
      inspections: namesOf(INSPECTION_CONFIG_TYPE_URL),
    };
    known.set(resource.encoded, references);
  }
  return references;
}
