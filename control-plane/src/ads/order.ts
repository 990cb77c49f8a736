// Which response goes next to one proxy: make before break, from what the proxy is known to hold.
//
// Additions go CDS → EDS → LDS → RDS → the rest, one response per type in flight; the order on the wire is the order in
// which a client works. What must wait for more than its turn:
//
// - A RouteConfiguration or Listener waits until every cluster that it names is held (acknowledged in some version) and
//   that cluster's assignment was acknowledged, when the snapshot has one. Clusters that the snapshot has not (those of
//   the bootstrap) are not waited for. Each waits by itself; the others of its type go.
// - Assignments never wait for a CDS ACK: Envoy gives that ACK only when no cluster is warming, and a cluster is warming
//   until its assignment comes (cluster_manager_impl.cc, updateClusterCounts). An updated cluster warms again without
//   asking again, as its name is subscribed already: sending a cluster therefore makes its assignment owed.
// - A RouteConfiguration whose requests are recorded waits until the agent has acknowledged the InspectionConfig as it is wanted
//   now: no request may be led past an agent that would not know what to do with it. While the snapshot has none, it stays back.
// - Listeners are removed together with additions, as Envoy does removals first: a listener may take over the address of
//   a removed one. Routes are removed when no listener held or in flight names them, clusters when no route or listener
//   does, assignments when the cluster is gone. Content that we do not know (a version from before a reconnect, or one
//   half applied after a NACK) may name anything: it holds back removals until it has been replaced.
//
// After a NACK the refused content is not sent again until it changes; the rest goes on:
// - a cluster that was never accepted holds back exactly the routes and listeners that name it, which stay at their last
//   good version; an update that was refused holds back nothing, as the older cluster serves;
// - an assignment that was refused holds back new versions of routes that the proxy already holds (better the old route
//   than one to a cluster without endpoints), but not a route that it has never had;
// - an inspection that was refused holds back new versions of the routes that need it, which stay at their last good version: the
//   old rules of access, too, until the AuditPolicy is mended;
// - a refused route or listener keeps its old version and with it the clusters that this names;
// - a NACK that blames nobody is retried one resource at a time, until the guilty one stands alone.
// The cost: a new proxy that refuses a route answers 404 on its listener, and is ready all the same (a refusal ends Envoy's
// wait); one whose route names a cluster that it refuses gets no such route at all, and is not ready (its listener waits,
// ConfigSource.initial_fetch_timeout: for ever) until the cluster is mended. A client that never subscribes to
// clusters gets no routes, one that never subscribes to inspections none that is recorded, one that never subscribes to listeners
// keeps its clusters.
import {
  ADS_TYPE_URLS,
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
} from "@hedgerow/proto";
import type { ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { emptyAssignment } from "./empty-assignment.ts";
import { type References, referencesOf } from "./references.ts";
import { holds, holdsVersion, type TypeState } from "./type-state.ts";

/** One response, yet without a nonce. */
export interface Push {
  readonly typeUrl: string;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
}

type Types = ReadonlyMap<string, TypeState>;

// Under the 4 MiB that a gRPC client takes by default. More goes in the next response, after the ACK.
const MAX_RESPONSE_BYTES = 3 * 1024 * 1024;

/** The next response, or undefined when everything waits or is done. */
export function nextPush(types: Types, snapshot: ProxySnapshot): Push | undefined {
  for (const typeUrl of new Set([...ADS_TYPE_URLS, ...types.keys()])) {
    const state = types.get(typeUrl);
    if (state === undefined || state.inFlight !== undefined) continue;
    const push = pushOf(typeUrl, state, types, snapshot);
    if (push !== undefined) return push;
  }
  return undefined;
}

/** What the snapshot has of a type; nothing for types that we do not serve. */
export function wantedOf(snapshot: ProxySnapshot, typeUrl: string): ReadonlyMap<string, Resource> {
  const served: AdsTypeUrl | undefined = ADS_TYPE_URLS.find((known) => known === typeUrl);
  return (served && snapshot.resources.get(served)) ?? NOTHING;
}

// One object: what does not change must be seen not to.
const NOTHING: ReadonlyMap<string, Resource> = new Map();

function pushOf(typeUrl: string, state: TypeState, types: Types, snapshot: ProxySnapshot): Push | undefined {
  const { held, owed, pending } = state;
  if (pending?.size === 0 && owed.size === 0 && !state.answerOwed) return undefined;
  const wanted = wantedOf(snapshot, typeUrl);
  const changed: Resource[] = [];
  const leaving: string[] = [];
  for (const name of pending === undefined ? everyName(state, wanted) : new Set([...pending, ...owed])) {
    const resource = desired(typeUrl, name, state, types, snapshot);
    if (resource !== undefined && needs(state, resource)) changed.push(resource);
    else if (leaves(typeUrl, name, state, snapshot)) leaving.push(name);
  }
  // Of all others it is known that nothing has to be sent.
  state.pending = new Set([...changed.map(({ name }) => name), ...leaving]);

  const sendable = changed.filter((resource) => isReady(resource, state, types, snapshot));
  const resources = limited(withoutSuspects(state, sendable));
  const removed = leaving.filter((name) => !held.has(name) || mayRemove(typeUrl, name, types));
  const empty = resources.length === 0 && removed.length === 0;
  if (empty && (!state.answerOwed || changed.length > 0)) return undefined;
  return { typeUrl, resources, removed };
}

/** All that may concern a client, what it wants first. */
function everyName(
  { held, owed, subscription: { wildcard, names } }: TypeState,
  wanted: ReadonlyMap<string, Resource>,
): ReadonlySet<string> {
  return new Set([...(wildcard ? wanted.keys() : []), ...names, ...held.keys(), ...owed]);
}

/** What the client is to hold under a name, if anything. */
function desired(
  typeUrl: string,
  name: string,
  state: TypeState,
  types: Types,
  snapshot: ProxySnapshot,
): Resource | undefined {
  const { wildcard, names } = state.subscription;
  if (!wildcard && !names.has(name)) return undefined;
  const resource = wantedOf(snapshot, typeUrl).get(name);
  if (resource !== undefined || typeUrl !== ENDPOINT_TYPE_URL || !names.has(name)) return resource;
  return substitute(name, state, types, snapshot);
}

/** Whether the client holds, or waits for, what there is no more. */
function leaves(typeUrl: string, name: string, { held, owed, refusedRemovals }: TypeState, snapshot: ProxySnapshot) {
  if (!held.has(name) && !owed.has(name)) return false;
  if (wantedOf(snapshot, typeUrl).has(name) || refusedRemovals.has(name)) return false;
  return typeUrl !== ENDPOINT_TYPE_URL || !clusterWanted(snapshot, name);
}

/** What to say of an assignment that the snapshot has not; a warming cluster must hear something. */
function substitute(name: string, state: TypeState, types: Types, snapshot: ProxySnapshot): Resource | undefined {
  if (clusterWanted(snapshot, name)) return emptyAssignment(name);
  const clusters = types.get(CLUSTER_TYPE_URL);
  const isThere = clusters?.held.has(name) === true || clusters?.inFlight?.resources.has(name) === true;
  if (!state.owed.has(name) || !isThere) return undefined;
  return state.held.get(name)?.resource ?? emptyAssignment(name);
}

function clusterWanted(snapshot: ProxySnapshot, name: string): boolean {
  return wantedOf(snapshot, CLUSTER_TYPE_URL).has(name);
}

function needs(state: TypeState, resource: Resource): boolean {
  const { name, version } = resource;
  if (state.owed.has(name)) return true;
  const held = state.held.get(name);
  if (held?.settled === true && held.acknowledged === version) return false;
  return state.rejected.get(name)?.version !== version;
}

function withoutSuspects({ suspects }: TypeState, resources: readonly Resource[]): readonly Resource[] {
  if (suspects.size === 0) return resources;
  const others = resources.filter(({ name }) => !suspects.has(name));
  return others.length > 0 ? others : resources.slice(0, 1);
}

function limited(resources: readonly Resource[]): readonly Resource[] {
  let bytes = 0;
  const end = resources.findIndex(({ encoded }, index) => {
    bytes += encoded.length;
    return index > 0 && bytes > MAX_RESPONSE_BYTES;
  });
  return end === -1 ? resources : resources.slice(0, end);
}

function isReady(resource: Resource, state: TypeState, types: Types, snapshot: ProxySnapshot): boolean {
  const { clusters, inspections } = referencesOf(resource);
  const wantedInspections = wantedOf(snapshot, INSPECTION_CONFIG_TYPE_URL);
  for (const name of inspections) {
    const version = wantedInspections.get(name)?.version;
    if (version === undefined || !holdsVersion(types.get(INSPECTION_CONFIG_TYPE_URL), name, version)) return false;
  }
  if (clusters.size === 0) return true;
  const wantedClusters = wantedOf(snapshot, CLUSTER_TYPE_URL);
  const wantedEndpoints = wantedOf(snapshot, ENDPOINT_TYPE_URL);
  const endpoints = types.get(ENDPOINT_TYPE_URL);
  for (const name of clusters) {
    if (!wantedClusters.has(name)) continue;
    if (!holds(types.get(CLUSTER_TYPE_URL), name)) return false;
    if (!wantedEndpoints.has(name) || holds(endpoints, name)) continue;
    const refused = endpoints?.rejected.has(name) === true;
    if (!refused || state.held.has(resource.name)) return false;
  }
  return true;
}

function mayRemove(typeUrl: string, name: string, types: Types): boolean {
  switch (typeUrl) {
    case ENDPOINT_TYPE_URL: {
      const clusters = types.get(CLUSTER_TYPE_URL);
      return clusters?.held.has(name) === false && clusters.inFlight?.resources.has(name) !== true;
    }
    case INSPECTION_CONFIG_TYPE_URL: {
      const routes = types.get(ROUTE_TYPE_URL);
      // A client without routes has none that needs it.
      return routes === undefined || !isNamed(routes, ({ inspections }) => inspections.has(name));
    }
    case ROUTE_TYPE_URL:
      return !isNamed(types.get(LISTENER_TYPE_URL), ({ routes }) => routes.has(name));
    case CLUSTER_TYPE_URL: {
      const listeners = types.get(LISTENER_TYPE_URL);
      const routes = types.get(ROUTE_TYPE_URL);
      // After a reconnect listeners and routes are unknown until the client has said what it holds.
      const isUnsaid = (route: string) => routes?.subscription.names.has(route) !== true;
      return (
        !isNamed(listeners, (names) => names.clusters.has(name) || [...names.routes].some(isUnsaid)) &&
        (routes === undefined || !isNamed(routes, (names) => names.clusters.has(name)))
      );
    }
    default:
      return true;
  }
}

/** Whether anything of a type that the client holds, or is about to hold, names it; or may, as it has not said yet. */
function isNamed(state: TypeState | undefined, names: (references: References) => boolean): boolean {
  if (state === undefined) return true;
  for (const { acknowledged, resource, maybe } of state.held.values()) {
    if (acknowledged !== undefined && (resource === undefined || names(referencesOf(resource)))) return true;
    if (maybe !== undefined && names(referencesOf(maybe))) return true;
  }
  return [...(state.inFlight?.resources.values() ?? [])].some((resource) => names(referencesOf(resource)));
}
