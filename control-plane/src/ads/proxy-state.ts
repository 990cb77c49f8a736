import type { AdsTypeUrl } from "@hedgerow/proto";
import type { NodeId } from "../snapshot/snapshot.ts";

/** What one proxy has said about one type. Versions are those of the resources. */
export interface ProxyTypeState {
  /** Name → version, as last acknowledged. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** When the last ACK came, Unix ms. */
  readonly acknowledgedAtMs: number | undefined;
  /** The last NACK, until an ACK follows: Envoy's words, and the name → version of what it refused. */
  readonly rejected:
    | { readonly message: string; readonly resources: ReadonlyMap<string, string>; readonly atMs: number }
    | undefined;
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
