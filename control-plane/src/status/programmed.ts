// Which objects every proxy was asked to run, and whether it does.
import { type ObjectKey, objectKey } from "@hedgerow/manifest";
import type { ProxyState } from "../ads/proxy-state.ts";
import type { MeshSnapshot, NodeId, Origin, Resource } from "../snapshot/snapshot.ts";

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

/**
 * By object, what the proxies with a state and those that are expected run; objects that none of them needs are absent. A
 * node that the snapshot has not, is not counted.
 */
export function describeProgrammed(
  snapshot: MeshSnapshot,
  proxies: readonly ProxyState[],
  expected: Iterable<NodeId>,
): ReadonlyMap<ObjectKey, Programmed> {
  const states = new Map(proxies.map((state) => [state.nodeId, state]));
  const objects = new Map<ObjectKey, { total: number; lagging: number; lags: Lag[] }>();
  const originsOf = memoizeOrigins();
  for (const nodeId of [...new Set([...states.keys(), ...expected])].sort()) {
    const state = states.get(nodeId);
    const worst = new Map<ObjectKey, Lag | undefined>();
    for (const resources of snapshot.get(nodeId)?.resources.values() ?? []) {
      for (const resource of resources.values()) {
        const found = lagOf(state, resource);
        for (const [key, origin] of originsOf(resource)) {
          const lag = found && {
            nodeId,
            ...found,
            refused: found.reason === "Rejected" ? { resource, origin } : undefined,
          };
          worst.set(key, worse(worst.get(key), lag));
        }
      }
    }
    for (const [key, lag] of worst) {
      const object = objects.get(key) ?? { total: 0, lagging: 0, lags: [] };
      objects.set(key, object);
      object.total += 1;
      if (lag === undefined) continue;
      object.lagging += 1;
      object.lags.push(lag);
    }
  }
  return objects;
}

function lagOf(
  state: ProxyState | undefined,
  { typeUrl, name, version }: Resource,
): { readonly reason: LagReason; readonly message: string } | undefined {
  const type = state?.types.get(typeUrl);
  if (type?.rejected?.resources.get(name) === version) {
    return { reason: "Rejected", message: type.rejected.messages.get(name) ?? type.rejected.message };
  }
  // Whatever it ran when it was last seen: that it still does cannot be said.
  if (state === undefined) return { reason: "Disconnected", message: "has not connected yet" };
  if (!state.connected) return { reason: "Disconnected", message: "is disconnected" };
  return type?.acknowledged.get(name) === version
    ? undefined
    : { reason: "Pending", message: "has not acknowledged yet" };
}

function worse(a: Lag | undefined, b: Lag | undefined): Lag | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return REASONS.indexOf(b.reason) < REASONS.indexOf(a.reason) ? b : a;
}

/** The first origin of each object in a resource. Many proxies share one list of origins. */
function memoizeOrigins(): (resource: Resource) => ReadonlyMap<ObjectKey, Origin> {
  const known = new Map<readonly Origin[], ReadonlyMap<ObjectKey, Origin>>();
  return ({ origins }) => {
    let byKey = known.get(origins);
    if (byKey === undefined) {
      // The last entry of a key wins, so the more important ones go last.
      byKey = new Map(origins.toReversed().map((origin) => [objectKey(origin.object), origin]));
      known.set(origins, byKey);
    }
    return byKey;
  };
}
