import type { ListProxiesResponse, ProxyType } from "@hedgerow/proto/hedgerow/admin/v1/admin";
import { isoTime } from "./time.ts";

/** What a proxy does with one xDS type: runs the current resources, has not acknowledged them yet, or refused them. */
export type TypeState = "current" | "pending" | "rejected";

export interface ProxyTypeView {
  readonly typeUrl: string;
  readonly state: TypeState;
  readonly resources: number;
  /** ISO 8601, or null before the first ACK. */
  readonly acknowledgedAt: string | null;
  /** Envoy's words on the last NACK; empty otherwise. */
  readonly error: string;
}

export interface ProxyView {
  readonly nodeId: string;
  readonly spiffeId: string;
  readonly connected: boolean;
  /** ISO 8601, or null. */
  readonly connectedAt: string | null;
  readonly ready: boolean;
  readonly readyReason: string;
  readonly envoyVersion: string;
  readonly agentVersion: string;
  readonly types: readonly ProxyTypeView[];
}

/** The stable shape of `hedgerow proxies -o json|yaml` (docs/cli.md). */
export interface ProxiesView {
  readonly proxies: readonly ProxyView[];
}

export function viewProxies({ proxies }: ListProxiesResponse): ProxiesView {
  return { proxies: proxies.map(viewProxy).sort((a, b) => (a.nodeId < b.nodeId ? -1 : a.nodeId > b.nodeId ? 1 : 0)) };
}

/** Connected, ready, and running exactly what the control plane holds for it. */
export function isHealthy({ connected, ready, types }: ProxyView): boolean {
  return connected && ready && types.every(({ state }) => state === "current");
}

function viewProxy(proxy: ListProxiesResponse["proxies"][number]): ProxyView {
  return {
    nodeId: proxy.nodeId,
    spiffeId: proxy.spiffeId,
    connected: proxy.connected,
    connectedAt: isoTime(proxy.connectedAt) ?? null,
    ready: proxy.ready,
    readyReason: proxy.readyReason,
    envoyVersion: proxy.envoyVersion,
    agentVersion: proxy.agentVersion,
    types: proxy.types.map((type) => ({
      typeUrl: type.typeUrl,
      state: stateOf(type),
      resources: type.resources,
      acknowledgedAt: isoTime(type.acknowledgedAt) ?? null,
      error: type.error,
    })),
  };
}

function stateOf({ current, error }: ProxyType): TypeState {
  if (error !== "") return "rejected";
  return current ? "current" : "pending";
}
