import type { ObjectKey, Service, SourceObject } from "@hedgerow/manifest";
import type { ClusterService, ClusterServicePort, ClusterState, MeshPod } from "../cluster/state.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { type Catalog, compareText, nodeIdOf } from "./catalog.ts";
import type { OutboundScope, ServicePort, ServicePortId } from "./model.ts";
import { ComputedByKey, sameElements, sameEntries } from "./reuse.ts";
import type { AttachedRoutes } from "./routes.ts";
import { NOBODY, type SelectedWorkload, type SelectionTable } from "./selection.ts";
import { servicePorts } from "./service-ports.ts";
import type { RequestLimit } from "./traffic.ts";

export interface ServicesInput {
  readonly catalog: Catalog;
  readonly cluster: Pick<ClusterState, "pods" | "services">;
  readonly ready: ReadonlySet<NodeId>;
  readonly attached: ReadonlyMap<ServicePortId, AttachedRoutes>;
  readonly trustDomain: string;
  readonly limitOf: (service: ObjectKey) => RequestLimit | undefined;
  /** Whether endpoints outside the mesh may be called in plain text at Services of the namespace. */
  readonly plainEndpoints: (namespace: string) => boolean;
  /** Whether captured callers go to the mesh for a Service even where nothing of the mesh stands behind it. */
  readonly isInScope: (service: ObjectKey, namespace: string) => boolean;
}

export interface BuiltServices {
  readonly services: ReadonlyMap<ServicePortId, ServicePort>;
  readonly scope: OutboundScope;
}

/** The ports of Services, build after build: one that nothing changed for is the same object. */
export class ServiceTable {
  readonly #selection: SelectionTable;
  readonly #ports = new ComputedByKey<ObjectKey, readonly ServicePort[]>();
  readonly #routed = new ComputedByKey<ServicePortId, ServicePort>();
  readonly #behind = new Behind();
  #built: BuiltServices = { services: new Map(), scope: { services: [] } };

  constructor(selection: SelectionTable) {
    this.#selection = selection;
  }

  build(input: ServicesInput): BuiltServices {
    const { catalog, cluster, attached } = input;
    this.#behind.update(input.ready, cluster.pods);
    const services = new Map<ServicePortId, ServicePort>();
    const scope: ServicePortId[] = [];
    const add = (key: ObjectKey, manifest: SourceObject<Service> | undefined, service: ClusterService | undefined) => {
      const namespace = (manifest?.manifest.metadata ?? service?.ref)?.namespace ?? "";
      const wanted = service !== undefined && input.isInScope(key, namespace);
      const limit = input.limitOf(key);
      for (const port of this.#portsOf(key, namespace, manifest, service, input)) {
        const routed = this.#withPolicies(port, attached.get(port.id), limit);
        services.set(port.id, routed);
        const isMesh = wanted || routed.spiffeIds.length > 0 || routed.routes !== undefined;
        if (isMesh && routed.virtual !== undefined) scope.push(port.id);
      }
    };
    for (const [key, manifest] of catalog.services) add(key, manifest, cluster.services.get(key));
    for (const [key, service] of cluster.services) if (!catalog.services.has(key)) add(key, undefined, service);
    this.#ports.forgetUnused();
    this.#routed.forgetUnused();
    this.#behind.forgetUnused();
    scope.sort(compareText);
    const before = this.#built;
    this.#built = {
      services: sameEntries(before.services, services) ? before.services : services,
      scope: sameElements(before.scope.services, scope) ? before.scope : { services: scope },
    };
    return this.#built;
  }

  #portsOf(
    key: ObjectKey,
    namespace: string,
    manifest: SourceObject<Service> | undefined,
    service: ClusterService | undefined,
    { catalog, cluster, ready, trustDomain, ...input }: ServicesInput,
  ): readonly ServicePort[] {
    const selected = manifest === undefined ? NOBODY : this.#selection.of(manifest, catalog.workloadsByNamespace);
    const plainEndpoints = input.plainEndpoints(namespace);
    const behind = this.#behind.versionOf(key, selected, service);
    const inputs = [manifest, service, selected, plainEndpoints, trustDomain, behind];
    return this.#ports.of(key, inputs, () =>
      servicePorts({ manifest, service, selected, ready, pods: cluster.pods, plainEndpoints, trustDomain }),
    );
  }

  #withPolicies(port: ServicePort, attached: AttachedRoutes | undefined, limit: RequestLimit | undefined): ServicePort {
    return this.#routed.of(port.id, [port, attached, limit], () =>
      attached === undefined && limit === undefined
        ? port
        : {
            ...port,
            ...(attached && { routes: attached.routes, routeOrigins: attached.origins }),
            ...(limit && { maxRequestBytes: limit.maxRequestBytes, trafficOrigins: limit.origins }),
          },
    );
  }
}

/** Counts, for each Service, how often readiness or a pod behind it changed. */
class Behind {
  #ready: ReadonlySet<NodeId> = new Set();
  #pods: ReadonlyMap<NodeId, MeshPod> = new Map();
  #changedReadiness: ReadonlySet<NodeId> = new Set();
  #changedPods: ReadonlySet<NodeId> = new Set();
  #known = new Map<ObjectKey, number>();
  #used = new Map<ObjectKey, number>();

  update(ready: ReadonlySet<NodeId>, pods: ReadonlyMap<NodeId, MeshPod>): void {
    this.#changedReadiness = ready === this.#ready ? NONE : ready.symmetricDifference(this.#ready);
    this.#changedPods = pods === this.#pods ? NONE : changedPods(this.#pods, pods);
    this.#ready = ready;
    this.#pods = pods;
  }

  versionOf(
    key: ObjectKey,
    selected: readonly (readonly SelectedWorkload[])[],
    service: ClusterService | undefined,
  ): number {
    const { size: workloads } = this.#changedReadiness;
    const { size: pods } = this.#changedPods;
    const isChanged =
      (workloads > 0 &&
        selected.flat().some(({ workload }) => this.#changedReadiness.has(nodeIdOf(workload.manifest)))) ||
      (pods > 0 && service?.ports.some((port) => this.#isPodChanged(port)));
    const version = (this.#known.get(key) ?? 0) + (isChanged === true ? 1 : 0);
    this.#used.set(key, version);
    return version;
  }

  #isPodChanged({ endpoints }: ClusterServicePort): boolean {
    return endpoints.some(({ pod }) => pod !== undefined && this.#changedPods.has(pod));
  }

  forgetUnused(): void {
    this.#known = this.#used;
    this.#used = new Map();
  }
}

const NONE: ReadonlySet<NodeId> = new Set();

/** Pods that came or went, or differ in what a Service's endpoints are made from. */
function changedPods(before: ReadonlyMap<NodeId, MeshPod>, now: ReadonlyMap<NodeId, MeshPod>): ReadonlySet<NodeId> {
  const changed = new Set<NodeId>();
  for (const [nodeId, pod] of now) {
    const known = before.get(nodeId);
    if (known !== pod && (known === undefined || !isSameEndpoint(known, pod))) changed.add(nodeId);
  }
  for (const nodeId of before.keys()) if (!now.has(nodeId)) changed.add(nodeId);
  return changed;
}

// Most changes of a pod are of its status, and concern no Service.
function isSameEndpoint(a: MeshPod, b: MeshPod): boolean {
  const of = ({ serviceAccount, address, captured }: MeshPod) => JSON.stringify([serviceAccount, address, captured]);
  return of(a) === of(b);
}
