// What other replicas of the control plane say of the proxies that are connected to them.
import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type ObjectKey, type ObjectRef, objectKey, objectRef } from "@hedgerow/manifest";
import type { ObjectStatusSchema, ProxySchema } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { ProxyState } from "../ads/proxy-state.ts";
import type { ClusterState } from "../cluster/state.ts";
import type { SourceView } from "../last-good/source-view.ts";
import type { MeshSnapshot, NodeId } from "../snapshot/snapshot.ts";
import type { ProxyInit } from "./describe-proxies.ts";
import { type ListedView, listing } from "./listed.ts";
import { describeProgrammed, isLagReason, type Lag, type Programmed } from "./programmed.ts";

/** The last word of one replica. */
export interface ReplicaReport {
  /** Its pod's name. */
  readonly replica: string;
  readonly connected: ReadonlySet<NodeId>;
  readonly objects: ReadonlyMap<ObjectKey, ReportedObject>;
  readonly proxies: readonly MessageShape<typeof ProxySchema>[];
}

interface ReportedObject {
  readonly observedGeneration: bigint;
  readonly proxiesTotal: number;
  readonly proxiesProgrammed: number;
  readonly laggards: readonly { readonly nodeId: NodeId; readonly reason: string; readonly message: string }[];
}

/** Their number is in the counts. */
const MAX_LAGGARDS = 100;

/**
 * One object's counts here and elsewhere together. A replica that is at another generation counts as all pending. Where it has
 * no proxy that needs that one, or says nothing of the object, which it has not seen then, all of its proxies may need what is
 * written now. Not so of Services: one replica may list what another does not, and each may count generations of its own.
 */
export function withReports(
  here: Programmed | undefined,
  key: ObjectKey,
  generation: bigint,
  reports: readonly ReplicaReport[],
): Programmed {
  let { total, lagging } = here ?? { total: 0, lagging: 0 };
  const lags = [...(here?.lags ?? [])];
  for (const { replica, connected, objects } of reports) {
    const there = objects.get(key);
    if (there?.observedGeneration !== generation) {
      const pending = there?.proxiesTotal || (key.startsWith("Service/") ? 0 : connected.size);
      if (pending === 0) continue;
      total += pending;
      lagging += pending;
      const message = there === undefined ? "has not seen it yet" : "is at another generation";
      lags.push({ nodeId: replica, reason: "Pending", message, refused: undefined });
      continue;
    }
    total += there.proxiesTotal;
    lagging += there.proxiesTotal - there.proxiesProgrammed;
    lags.push(
      ...there.laggards.flatMap(({ nodeId, reason, message }): Lag[] =>
        isLagReason(reason) ? [{ nodeId, reason, message, refused: undefined }] : [],
      ),
    );
  }
  return { total, lagging, lags: lags.sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)) };
}

/** What this replica tells the others of its own: all objects that are listed, needed by a connected proxy or not. */
export function describeReplica(
  view: Pick<SourceView, "generations"> & ListedView,
  snapshot: MeshSnapshot,
  proxies: readonly ProxyState[],
): readonly MessageInitShape<typeof ObjectStatusSchema>[] {
  const connected = proxies.filter((proxy) => proxy.connected);
  const programmed = describeProgrammed(snapshot, connected, []);
  const isListed = listing(view);
  return view.objects.flatMap((object) => {
    const ref: ObjectRef = objectRef(object.manifest);
    const found = programmed.get(objectKey(ref));
    if (!isListed(ref, found)) return [];
    const { total, lagging, lags } = found ?? { total: 0, lagging: 0, lags: [] };
    return [
      {
        ...ref,
        observedGeneration: BigInt(view.generations.get(objectKey(ref)) ?? 1),
        proxiesTotal: total,
        proxiesProgrammed: total - lagging,
        laggards: lags.slice(0, MAX_LAGGARDS).map(({ nodeId, reason, message }) => ({ nodeId, reason, message })),
      },
    ];
  });
}

export interface Counted {
  readonly proxies: readonly ProxyState[];
  readonly expected: readonly NodeId[];
}

/**
 * Which proxies count beside those of the reports: those that are connected here; those that were connected, to this
 * replica or another, in the last minutes, are to nobody now, and should be; and every Workload. A pod that has not
 * connected yet is still starting, and no policy waits for it: Kubernetes itself shows that it is not ready.
 */
export function countedProxies(input: {
  /** Of this replica, the departed too. */
  readonly states: readonly ProxyState[];
  readonly nodes: Iterable<NodeId>;
  readonly cluster: Pick<ClusterState, "pods"> | undefined;
  readonly reports: readonly ReplicaReport[];
  /** Lately connected to another replica, and to it no longer. */
  readonly lost: Iterable<NodeId>;
}): Counted {
  const { states, nodes, cluster, reports, lost } = input;
  const isElsewhere = (nodeId: NodeId) => reports.some(({ connected }) => connected.has(nodeId));
  const pods = cluster?.pods;
  const isEnding = (nodeId: NodeId) => pods?.get(nodeId)?.terminating === true;
  const isMissed = (nodeId: NodeId) => !isElsewhere(nodeId) && !isEnding(nodeId);
  const proxies = states.filter(({ connected, nodeId }) => connected || isMissed(nodeId));
  const expected = [...lost].filter(isMissed);
  for (const nodeId of nodes) if (pods?.has(nodeId) !== true && isMissed(nodeId)) expected.push(nodeId);
  return { proxies, expected };
}

/** Proxies of all replicas, each once: as that replica has it to which it is connected, or was last. */
export function mergeProxies(here: readonly ProxyInit[], reports: readonly ReplicaReport[]): readonly ProxyInit[] {
  const merged = new Map<NodeId, ProxyInit>();
  for (const proxy of [...here, ...reports.flatMap(({ proxies }) => proxies)]) {
    const before = merged.get(proxy.nodeId ?? "");
    if (before === undefined || isBetter(proxy, before)) merged.set(proxy.nodeId ?? "", proxy);
  }
  return [...merged.values()].sort((a, b) => ((a.nodeId ?? "") < (b.nodeId ?? "") ? -1 : 1));
}

function isBetter(a: ProxyInit, b: ProxyInit): boolean {
  if (a.connected !== b.connected) return a.connected === true;
  return (a.connectedAt?.seconds ?? 0n) > (b.connectedAt?.seconds ?? 0n);
}
