import type { FieldPath, ObjectRef } from "@hedgerow/manifest";
import type { AdsTypeUrl } from "@hedgerow/proto";

/** NAMESPACE/NAME of a Workload or pod: the xDS node id that its SVID owns. */
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
  /**
   * A type's map is the very same object in the next snapshot while nothing in it changes: whoever keeps up with it, proxy by
   * proxy, then has nothing to do. Maps that are shared in part are made by `layered` (layers.ts).
   */
  readonly resources: ReadonlyMap<AdsTypeUrl, ReadonlyMap<string, Resource>>;
}

/** Every proxy's snapshot. One may be made when it is first asked for, so ask for what is needed; a Map is one, too. */
export interface MeshSnapshot {
  readonly size: number;
  has(nodeId: NodeId): boolean;
  /** The same object at each call. */
  get(nodeId: NodeId): ProxySnapshot | undefined;
  keys(): Iterable<NodeId>;
}
