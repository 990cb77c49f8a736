import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type AdsTypeUrl, ENDPOINT_TYPE_URL } from "@hedgerow/proto";
import type { ProxySchema, ProxyTypeSchema } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import type { ProxyState, ProxyTypeState } from "../ads/proxy-state.ts";
import type { Report } from "../readiness/tracker.ts";
import type { MeshSnapshot, NodeId, ProxySnapshot, Resource } from "../snapshot/snapshot.ts";

export type ProxyInit = MessageInitShape<typeof ProxySchema>;

export interface ProxiesInput {
  readonly proxies: readonly ProxyState[];
  readonly snapshot: MeshSnapshot;
  /** Undefined when no agent reports for the node. */
  readonly readiness: (nodeId: NodeId) => Report | undefined;
}

/** Every proxy that is or was lately connected, in the order of node ids. */
export function describeProxies({ proxies, snapshot, readiness }: ProxiesInput): readonly ProxyInit[] {
  return proxies
    .toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
    .map((proxy) => {
      const report = readiness(proxy.nodeId) ?? { ready: false, reason: "its agent does not report", agentVersion: "" };
      const wanted = snapshot.get(proxy.nodeId);
      return {
        nodeId: proxy.nodeId,
        spiffeId: proxy.spiffeId,
        connected: proxy.connected,
        connectedAt: timestampFromMs(proxy.connectedAtMs),
        ready: report.ready,
        readyReason: report.reason,
        envoyVersion: proxy.envoyVersion,
        agentVersion: report.agentVersion,
        types: [...proxy.types].map(([typeUrl, state]) => describeType(typeUrl, state, wanted)),
      };
    });
}

function describeType(
  typeUrl: AdsTypeUrl,
  state: ProxyTypeState,
  wanted: ProxySnapshot | undefined,
): MessageInitShape<typeof ProxyTypeSchema> {
  const { acknowledgedCount, acknowledgedAtMs, rejected } = state;
  return {
    typeUrl,
    resources: acknowledgedCount,
    current: wanted !== undefined && isCurrent(typeUrl, state, wanted.resources.get(typeUrl) ?? NOTHING),
    ...(acknowledgedAtMs === undefined ? {} : { acknowledgedAt: timestampFromMs(acknowledgedAtMs) }),
    error: rejected?.message ?? "",
  };
}

const NOTHING: ReadonlyMap<string, Resource> = new Map();

function isCurrent(typeUrl: AdsTypeUrl, state: ProxyTypeState, wanted: ReadonlyMap<string, Resource>): boolean {
  const { acknowledgedCount, behind } = state;
  const names = behind?.wanted === wanted ? behind.names : wanted.keys();
  for (const name of names) if (state.acknowledged.get(name) !== wanted.get(name)?.version) return false;
  // A cluster whose endpoints the snapshot has not holds an empty assignment all the same.
  return typeUrl === ENDPOINT_TYPE_URL || acknowledgedCount === wanted.size;
}
