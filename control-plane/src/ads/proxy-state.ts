import type { AdsTypeUrl } from "@hedgerow/proto";
import type { NodeId, Resource } from "../snapshot/snapshot.ts";

/** What one proxy has said about one type. Versions are those of the resources. To be read at once: it may change later. */
export interface ProxyTypeState {
  /** Name → version, as last acknowledged. Made when asked for, of as many entries as the proxy holds. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** Its size, without making it. */
  readonly acknowledgedCount: number;
  /** What is missing, where that is known without comparing everything. */
  readonly behind: Behind | undefined;
  /** When the last ACK came, Unix ms. */
  readonly acknowledgedAtMs: number | undefined;
  /** Content that the proxy refused and that has not changed since; undefined when there is none. */
  readonly rejected: ProxyRejection | undefined;
}

export interface Behind {
  /** The resources of the snapshot that was last offered. */
  readonly wanted: ReadonlyMap<string, Resource>;
  /** Those of them that the proxy has not acknowledged in their present version, or has refused. */
  readonly names: ReadonlySet<string>;
}

export interface ProxyRejection {
  /** Envoy's words of the last NACK, cut at 1 KiB. */
  readonly message: string;
  /** Name → refused version: only what the NACK blames, where that can be told. */
  readonly resources: ReadonlyMap<string, string>;
  /** Name → Envoy's words of the NACK that refused it, cut at 1 KiB. Same names as `resources`. */
  readonly messages: ReadonlyMap<string, string>;
  /** When the last NACK came, Unix ms. */
  readonly atMs: number;
}

/** What the control plane knows of one proxy. Kept for a while after it disconnects. */
export interface ProxyState {
  readonly nodeId: NodeId;
  readonly spiffeId: string;
  readonly connected: boolean;
  /** Unix ms of the last connect. */
  readonly connectedAtMs: number;
  /** As Envoy's node says; empty when the relay connected before its Envoy did. */
  readonly envoyVersion: string;
  readonly types: ReadonlyMap<AdsTypeUrl, ProxyTypeState>;
}
