// What differs between manifests in a directory and a cluster: where objects come from, where the key is kept, who else serves.
import type { Server } from "@grpc/grpc-js";
import type { LedgerPage } from "../admin/service.ts";
import type { AdsServer } from "../ads/server.ts";
import type { ActRecorder } from "../audit/acts.ts";
import type { Authority } from "../ca/authority.ts";
import type { KeyMaterial, KeyStore } from "../ca/key-material.ts";
import type { ServerIdentity } from "../ca/server-identity.ts";
import type { IssuanceDeps } from "../ca/service.ts";
import type { SourceView } from "../last-good/source-view.ts";
import type { Counter, Gauge } from "../metrics/metrics.ts";
import type { Publisher } from "../publisher.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { ProxyInit } from "../status/describe-proxies.ts";
import type { ReplicaReport } from "../status/replicas.ts";
import type { StatusWatch } from "../status-watch.ts";
import type { WitnessStore } from "../witness/store.ts";

/** Of every other replica of the control plane. */
export interface Elsewhere {
  reports(): readonly ReplicaReport[];
  /** Proxies that were connected to a replica that is gone. */
  lost(): Iterable<NodeId>;
  /** Workloads whose agents report to another replica that they are ready. */
  ready(): ReadonlySet<NodeId>;
}

/** What stands once there is an authority, before anybody can call. */
export interface ServingParts {
  readonly material: KeyMaterial;
  readonly authority: Authority;
  readonly identity: ServerIdentity;
  readonly ads: AdsServer;
  readonly publisher: Publisher;
  readonly status: StatusWatch;
  readonly audit: ActRecorder;
  readonly witness: WitnessStore;
  /** Of this replica alone. */
  readonly proxies: () => readonly ProxyInit[];
}

/** What a world adds to a control plane that serves. Disposing ends its calls at once. */
export interface Attachment extends AsyncDisposable {
  /** For the port `mesh`. */
  readonly meshServices: readonly Parameters<Server["addService"]>[];
  /** Once the ports listen. */
  start(): Promise<void>;
  viewChanged(): void;
  /** What the witnesses of all replicas know: in the order of their UUIDs, those after `after`, `most` of them. */
  ledgers(after: string, most: number): Promise<LedgerPage>;
}

export interface World extends AsyncDisposable {
  /** Of this replica among all: a pod's, or the one that there is. */
  readonly replicaName: string;
  /** Undefined until all that there is was read once. */
  view(): SourceView | undefined;
  readonly keyStore: KeyStore;
  readonly issuance: Pick<IssuanceDeps, "spentTokens" | "attestPod">;
  readonly elsewhere: Elsewhere;
  readonly metrics: () => readonly (Counter | Gauge)[];
  attach(parts: ServingParts): Attachment;
}

export interface WorldDeps {
  /** Of every view; the first comes this way, too, where `view` is undefined at first. */
  readonly onView: (view: SourceView) => void;
  /** The set of `elsewhere.ready` changed. */
  readonly onReady: () => void;
  /** The world can't go on. */
  readonly onFailure: (error: unknown) => void;
  /** Unix ms. */
  readonly now: () => number;
  /** Ends every wait. */
  readonly signal: AbortSignal;
}
