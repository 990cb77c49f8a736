// Which objects every proxy was asked to run, and whether it does.
import { type ObjectKey, objectKey } from "@hedgerow/manifest";
import type { ProxyState } from "../ads/proxy-state.ts";
import { sameElements } from "../model/reuse.ts";
import { layersOf } from "../snapshot/layers.ts";
import type { MeshSnapshot, NodeId, Origin, ProxySnapshot, Resource } from "../snapshot/snapshot.ts";

/** The worst first: one proxy that lags in several ways is shown by the first of them. */
const REASONS = ["Rejected", "Disconnected", "Pending"] as const;
type LagReason = (typeof REASONS)[number];
export const isLagReason = (text: string): text is LagReason => REASONS.some((reason) => reason === text);

/** One proxy that does not run an object's current content. */
export interface Lag {
  readonly nodeId: NodeId;
  readonly reason: LagReason;
  /** For Rejected: Envoy's words; for the others, ours. */
  readonly message: string;
  /** For Rejected: what was refused, and where the object asked for it. */
  readonly refused: { readonly resource: Resource; readonly origin: Origin } | undefined;
}

export interface Programmed {
  /** Proxies with a resource that came from the object. */
  readonly total: number;
  /** Those of them that do not run its current content. */
  readonly lagging: number;
  /** The first of them that are known by name, in the order of node ids. */
  readonly lags: readonly Lag[];
}

type Resources = ReadonlyMap<string, Resource>;
type Counts = Map<ObjectKey, { total: number; lagging: number; lags: Lag[] }>;

/**
 * By object, what the proxies with a state and those that are expected run; objects that none of them needs are absent. A
 * node that the snapshot has not, is not counted. What proxies share is looked at once, and of a connected proxy only what
 * it is behind with.
 */
export function describeProgrammed(
  snapshot: MeshSnapshot,
  proxies: readonly ProxyState[],
  expected: Iterable<NodeId>,
): ReadonlyMap<ObjectKey, Programmed> {
  const states = new Map(proxies.map((state) => [state.nodeId, state]));
  const counts: Counts = new Map();
  const nodeIds = [...new Set([...states.keys(), ...expected])].sort();
  const counted = nodeIds.flatMap((nodeId) => snapshot.get(nodeId) ?? []);
  countTotals(counted, counts);
  for (const proxy of counted) {
    for (const [key, lag] of lagsOf(proxy, states.get(proxy.nodeId))) {
      const object = countsOf(counts, key);
      object.lagging += 1;
      object.lags.push(lag);
    }
  }
  return counts;
}

function countsOf(counts: Counts, key: ObjectKey) {
  let object = counts.get(key);
  if (object === undefined) {
    object = { total: 0, lagging: 0, lags: [] };
    counts.set(key, object);
  }
  return object;
}

/** By object, the worst way in which one proxy lags. */
function lagsOf({ nodeId, resources }: ProxySnapshot, state: ProxyState | undefined): ReadonlyMap<ObjectKey, Lag> {
  const worst = new Map<ObjectKey, Lag>();
  for (const [typeUrl, wanted] of resources) {
    const behind = state?.connected === true ? state.types.get(typeUrl)?.behind : undefined;
    const known = behind?.wanted === wanted ? behind.names : undefined;
    for (const name of known ?? wanted.keys()) {
      const resource = wanted.get(name);
      const found = resource && lagOf(state, resource, known !== undefined);
      if (resource === undefined || found === undefined) continue;
      for (const [key, origin] of originsOf(resource)) {
        const refused = found.reason === "Rejected" ? { resource, origin } : undefined;
        const lag: Lag = { nodeId, ...found, refused };
        const before = worst.get(key);
        if (before === undefined || isWorse(lag, before)) worst.set(key, lag);
      }
    }
  }
  return worst;
}

/** Counts every proxy for each object that anything of it came from. Proxies that share the same maps are counted together. */
function countTotals(proxies: readonly ProxySnapshot[], counts: Counts): void {
  const users = new Map<Resources, number>();
  const layersOfAll = proxies.map(({ resources }) => [...resources.values()].flatMap(layersOf));
  for (const layer of layersOfAll.flat()) users.set(layer, (users.get(layer) ?? 0) + 1);
  const parts: { readonly shared: readonly Resources[]; readonly keys: ReadonlySet<ObjectKey>; proxies: number }[] = [];
  for (const layers of layersOfAll) {
    const shared = layers.filter((layer) => (users.get(layer) ?? 0) > 1);
    let part = parts.find((known) => sameElements(known.shared, shared));
    if (part === undefined) {
      part = { shared, keys: keysOfAll(shared), proxies: 0 };
      parts.push(part);
    }
    part.proxies += 1;
    const own = keysOfAll(layers.filter((layer) => !shared.includes(layer)));
    for (const key of own.difference(part.keys)) countsOf(counts, key).total += 1;
  }
  for (const { keys, proxies } of parts) for (const key of keys) countsOf(counts, key).total += proxies;
}

function keysOfAll(layers: readonly Resources[]): ReadonlySet<ObjectKey> {
  return new Set(layers.flatMap((layer) => [...keysOf(layer)]));
}

const keysKnown = new WeakMap<Resources, ReadonlySet<ObjectKey>>();

/** The objects that anything in a map came from. */
function keysOf(map: Resources): ReadonlySet<ObjectKey> {
  let keys = keysKnown.get(map);
  if (keys === undefined) {
    keys = new Set([...map.values()].flatMap((resource) => [...originsOf(resource).keys()]));
    keysKnown.set(map, keys);
  }
  return keys;
}

function lagOf(
  state: ProxyState | undefined,
  { typeUrl, name, version }: Resource,
  isBehind: boolean,
): { readonly reason: LagReason; readonly message: string } | undefined {
  const type = state?.types.get(typeUrl);
  if (type?.rejected?.resources.get(name) === version) {
    return { reason: "Rejected", message: type.rejected.messages.get(name) ?? type.rejected.message };
  }
  // Whatever it ran when it was last seen: that it still does cannot be said.
  if (state === undefined) return { reason: "Disconnected", message: "has not connected yet" };
  if (!state.connected) return { reason: "Disconnected", message: "is disconnected" };
  // Asked last: to look up what was acknowledged, all of it has to be gathered.
  return !isBehind && type?.acknowledged.get(name) === version
    ? undefined
    : { reason: "Pending", message: "has not acknowledged yet" };
}

function isWorse(a: Lag, b: Lag): boolean {
  return REASONS.indexOf(a.reason) < REASONS.indexOf(b.reason);
}

// Many proxies, and snapshot after snapshot, share one list of origins.
const originsKnown = new WeakMap<readonly Origin[], ReadonlyMap<ObjectKey, Origin>>();

/** The first origin of each object in a resource. */
function originsOf({ origins }: Resource): ReadonlyMap<ObjectKey, Origin> {
  let byKey = originsKnown.get(origins);
  if (byKey === undefined) {
    // The last entry of a key wins, so the more important ones go last.
    byKey = new Map(origins.toReversed().map((origin) => [objectKey(origin.object), origin]));
    originsKnown.set(origins, byKey);
  }
  return byKey;
}
