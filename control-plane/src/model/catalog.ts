import type {
  AccessPolicy,
  AuditPolicy,
  HTTPRoute,
  Manifest,
  MeshConfig,
  ObjectKey,
  Service,
  SourceObject,
  TrafficPolicy,
  Workload,
} from "@hedgerow/manifest";
import { objectKey, objectRef } from "@hedgerow/manifest";
import type { NodeId } from "../snapshot/snapshot.ts";
import { sameElements } from "./reuse.ts";

/** The objects of the source by kind: workloads by node id, the others in the order of age. */
export interface Catalog {
  readonly meshConfigs: readonly SourceObject<MeshConfig>[];
  readonly workloads: readonly SourceObject<Workload>[];
  readonly workloadsByNamespace: WorkloadsByNamespace;
  readonly services: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  readonly routes: readonly SourceObject<HTTPRoute>[];
  readonly accessPolicies: readonly SourceObject<AccessPolicy>[];
  readonly auditPolicies: readonly SourceObject<AuditPolicy>[];
  readonly trafficPolicies: readonly SourceObject<TrafficPolicy>[];
}

export type WorkloadsByNamespace = ReadonlyMap<string, readonly SourceObject<Workload>[]>;

export function catalogOf(objects: readonly SourceObject[]): Catalog {
  return new CatalogReader().read(objects);
}

/** Reads one set of objects after another: a part of the catalog whose objects are all the same is the same part. */
export class CatalogReader {
  readonly #meshConfigs = new KindReader("MeshConfig", (objects) => objects.toSorted(byAge));
  readonly #workloads = new KindReader("Workload", (objects) => objects.toSorted(byNodeId));
  readonly #services = new KindReader(
    "Service",
    (objects) => new Map(objects.toSorted(byAge).map((object) => [keyOf(object), object])),
  );
  readonly #routes = new KindReader("HTTPRoute", (objects) => objects.toSorted(byAge));
  readonly #accessPolicies = new KindReader("AccessPolicy", (objects) => objects.toSorted(byAge));
  readonly #auditPolicies = new KindReader("AuditPolicy", (objects) => objects.toSorted(byAge));
  readonly #trafficPolicies = new KindReader("TrafficPolicy", (objects) => objects.toSorted(byAge));
  #byNamespace: WorkloadsByNamespace = new Map();
  #objects: readonly SourceObject[] | undefined;
  #catalog: Catalog | undefined;

  read(objects: readonly SourceObject[]): Catalog {
    if (this.#catalog !== undefined && this.#objects === objects) return this.#catalog;
    const workloads = this.#workloads.read(objects);
    if (this.#catalog?.workloads !== workloads) this.#byNamespace = this.#grouped(workloads);
    this.#objects = objects;
    this.#catalog = {
      meshConfigs: this.#meshConfigs.read(objects),
      workloads,
      workloadsByNamespace: this.#byNamespace,
      services: this.#services.read(objects),
      routes: this.#routes.read(objects),
      accessPolicies: this.#accessPolicies.read(objects),
      auditPolicies: this.#auditPolicies.read(objects),
      trafficPolicies: this.#trafficPolicies.read(objects),
    };
    return this.#catalog;
  }

  #grouped(workloads: readonly SourceObject<Workload>[]): WorkloadsByNamespace {
    const grouped = Map.groupBy(workloads, ({ manifest }) => manifest.metadata.namespace);
    return new Map([...grouped].map(([namespace, list]) => [namespace, this.#kept(namespace, list)]));
  }

  #kept(namespace: string, list: readonly SourceObject<Workload>[]): readonly SourceObject<Workload>[] {
    const before = this.#byNamespace.get(namespace);
    return before !== undefined && sameElements(before, list) ? before : list;
  }
}

class KindReader<K extends Manifest["kind"], T> {
  readonly #isKind: (object: SourceObject) => object is OfKind<K>;
  readonly #arrange: (objects: readonly OfKind<K>[]) => T;
  #last: { readonly objects: readonly OfKind<K>[]; readonly arranged: T } | undefined;

  constructor(kind: K, arrange: (objects: readonly OfKind<K>[]) => T) {
    this.#isKind = isKind(kind);
    this.#arrange = arrange;
  }

  read(all: readonly SourceObject[]): T {
    const objects = all.filter(this.#isKind);
    if (this.#last === undefined || !sameElements(this.#last.objects, objects))
      this.#last = { objects, arranged: this.#arrange(objects) };
    return this.#last.arranged;
  }
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
  if (a.creationTimestamp !== b.creationTimestamp) {
    const [bornA, bornB] = [bornMs(a.creationTimestamp), bornMs(b.creationTimestamp)];
    if (bornA !== bornB) return bornA < bornB ? -1 : 1;
  }
  return compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`);
}

function bornMs(creationTimestamp: string | undefined): number {
  return creationTimestamp === undefined ? Number.POSITIVE_INFINITY : Date.parse(creationTimestamp);
}

function byAge(a: SourceObject, b: SourceObject): number {
  return compareAge(a.manifest, b.manifest);
}

function byNodeId(a: SourceObject<Workload>, b: SourceObject<Workload>): number {
  return compareText(nodeIdOf(a.manifest), nodeIdOf(b.manifest));
}

/** By UTF-16 code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function isKind<K extends Manifest["kind"]>(kind: K) {
  return (object: SourceObject): object is OfKind<K> => object.manifest.kind === kind;
}
