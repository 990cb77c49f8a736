import type { FieldPath, ObjectRef } from "@hedgerow/manifest";
import type { AdsTypeUrl } from "@hedgerow/proto";

/** NAMESPACE/NAME of a Workload: the xDS node id that its SVID owns. */
export type NodeId = string;

/** The manifest, and the field of it, that a resource came from: where its NACK is reported. */
export interface Origin {
  readonly object: ObjectRef;
  readonly path: FieldPath;
}

/** One xDS resource, encoded once and shared by every proxy that gets the same content. */
export interface Resource {
  readonly typeUrl: AdsTypeUrl;
  readonly name: string;
  /** Hash of the content: equal content has equal version, on every replica and after every restart. */
  readonly version: string;
  /** Wire bytes of envoy.service.discovery.v3.Resource (name, version and the Any inside). */
  readonly encoded: Uint8Array;
  /** In order of importance; never empty. */
  readonly origins: readonly Origin[];
}

/** Everything one proxy is to run. Immutable; by type URL, then by name. */
export interface ProxySnapshot {
  readonly nodeId: NodeId;
  readonly resources: ReadonlyMap<AdsTypeUrl, ReadonlyMap<string, Resource>>;
}

/** Every proxy's snapshot. */
export type MeshSnapshot = ReadonlyMap<NodeId, ProxySnapshot>;
