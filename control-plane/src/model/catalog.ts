import type {
  AccessPolicy,
  HTTPRoute,
  Manifest,
  MeshConfig,
  ObjectKey,
  Service,
  SourceObject,
  Workload,
} from "@hedgerow/manifest";
import { objectKey, objectRef } from "@hedgerow/manifest";

import type { NodeId } from "../snapshot/snapshot.ts";

/** The objects of the source by kind: workloads by node id, the others in the order of age. */
export interface Catalog {
  readonly meshConfigs: readonly SourceObject<MeshConfig>[];
  readonly workloads: readonly SourceObject<Workload>[];
  readonly workloadsByNamespace: WorkloadsByNamespace;
  readonly services: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  readonly routes: readonly SourceObject<HTTPRoute>[];
  readonly accessPolicies: readonly SourceObject<AccessPolicy>[];
}

export type WorkloadsByNamespace = ReadonlyMap<string, readonly SourceObject<Workload>[]>;

export function catalogOf(objects: readonly SourceObject[]): Catalog {
  const sorted = objects.toSorted((a, b) => compareAge(a.manifest, b.manifest));
  const workloads = sorted
    .filter(isKind("Workload"))
    .toSorted((a, b) => compareText(nodeIdOf(a.manifest), nodeIdOf(b.manifest)));
  return {
    meshConfigs: sorted.filter(isKind("MeshConfig")),
    workloads,
    workloadsByNamespace: Map.groupBy(workloads, ({ manifest }) => manifest.metadata.namespace),
    services: new Map(sorted.filter(isKind("Service")).map((object) => [keyOf(object), object])),
    routes: sorted.filter(isKind("HTTPRoute")),
    accessPolicies: sorted.filter(isKind("AccessPolicy")),
  };
}

type OfKind<K extends Manifest["kind"]> = SourceObject<Extract<Manifest, { kind: K }>>;

/** The object of that key, provided that it is of that kind: what was remembered comes back untyped. */
export function objectOfKind<K extends Manifest["kind"]>(
  objects: ReadonlyMap<ObjectKey, SourceObject>,
  kind: K,
  key: ObjectKey,
): OfKind<K> | undefined {
  const object = objects.get(key);
  return object !== undefined && isKind(kind)(object) ? object : undefined;
}

export function keyOf({ manifest }: SourceObject): ObjectKey {
  return objectKey(objectRef(manifest));
}

export function nodeIdOf({ metadata: { namespace, name } }: Workload): NodeId {
  return `${namespace}/${name}`;
}

export function serviceKey(namespace: string, name: string): ObjectKey {
  return objectKey({ kind: "Service", namespace, name });
}

/**
 * Older first, then by NAMESPACE/NAME (Gateway API, "Conflicts"). An object without a creation time counts as younger
 * than every object that has one.
 */
export function compareAge({ metadata: a }: Manifest, { metadata: b }: Manifest): number {
  const bornA = a.creationTimestamp === undefined ? Number.POSITIVE_INFINITY : Date.parse(a.creationTimestamp);
  const bornB = b.creationTimestamp === undefined ? Number.POSITIVE_INFINITY : Date.parse(b.creationTimestamp);
  if (bornA !== bornB) return bornA < bornB ? -1 : 1;
  return compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`);
}

/** By UTF-16 code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isKind<K extends Manifest["kind"]>(kind: K) {
  return (object: SourceObject): object is OfKind<K> => object.manifest.kind === kind;
}
