import { type ObjectKey, objectRef, type Service, type SourceObject, type Workload } from "@hedgerow/manifest";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { ResolvedAccess } from "./access.ts";
import { type Catalog, keyOf, nodeIdOf, objectOfKind, serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import type { ResolvedInspection } from "./inspection.ts";
import type { MeshWorkload } from "./model.ts";
import { ComputedByKey, sameEntries } from "./reuse.ts";
import type { SelectionTable } from "./selection.ts";
import { type ResolvedUpstreams, resolveUpstreams } from "./upstreams.ts";

export interface WorkloadsInput {
  readonly catalog: Catalog;
  readonly access: ResolvedAccess;
  readonly inspection: ResolvedInspection;
  /** Services that policies govern, vanished ones too. */
  readonly governed: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  readonly lastResolved: ReadonlyMap<ObjectKey, SourceObject>;
}

export interface ResolvedWorkloads {
  /** By node id, in that order. */
  readonly workloads: ReadonlyMap<NodeId, MeshWorkload>;
  readonly findings: readonly Finding[];
  /** The versions whose references all resolve, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject<Workload>>;
}

/** The sidecars of Workloads, build after build: one that nothing changed for is the same object. */
export class WorkloadTable {
  readonly #selection: SelectionTable;
  readonly #upstreams = new ComputedByKey<SourceObject<Workload>, ResolvedUpstreams>();
  readonly #workloads = new ComputedByKey<SourceObject<Workload>, MeshWorkload>();
  #built: ReadonlyMap<NodeId, MeshWorkload> = new Map();

  constructor(selection: SelectionTable) {
    this.#selection = selection;
  }

  build({ catalog, access, inspection, governed, lastResolved }: WorkloadsInput): ResolvedWorkloads {
    const inFront = this.#servicesInFront(catalog, governed);
    const workloads = new Map<NodeId, MeshWorkload>();
    const findings: Finding[] = [];
    const resolved = new Map<ObjectKey, SourceObject<Workload>>();
    for (const workload of catalog.workloads) {
      const key = keyOf(workload);
      const last = objectOfKind(lastResolved, "Workload", key);
      const { upstreams, ...rest } = this.#upstreamsOf(workload, last, catalog.services);
      if (rest.resolved !== undefined) resolved.set(key, rest.resolved);
      findings.push(...rest.findings);
      const object = objectRef(workload.manifest);
      const nodeId = nodeIdOf(workload.manifest);
      const { address, drain, inbound } = workload.manifest.spec;
      const services = inbound.map(({ port }) => inFront.get(`${nodeId} ${port}`) ?? []);
      const governing = services.map((keys) => access.of(keys, "strict"));
      const inspected = inbound.map((port, index) => inspection.of(services[index] ?? [], object.namespace, port));
      workloads.set(
        nodeId,
        this.#workloads.of(workload, [upstreams, ...governing, ...inspected], () => ({
          object,
          nodeId,
          address,
          region: workload.manifest.spec.region,
          drainMs: drain,
          inbound: inbound.map(({ port, appPort, protocol }, index) => {
            const { access: policies = [], accessOrigins = [] } = governing[index] ?? {};
            const origin = { object, path: ["spec", "inbound", index] };
            const { inspection: asked, maxRequestBytes, trafficOrigins = [] } = inspected[index] ?? {};
            return {
              port,
              appPort,
              protocol,
              origin,
              access: policies,
              accessOrigins,
              inspection: asked,
              maxRequestBytes,
              trafficOrigins,
            };
          }),
          upstreams,
          capture: undefined,
        })),
      );
    }
    this.#upstreams.forgetUnused();
    this.#workloads.forgetUnused();
    if (!sameEntries(this.#built, workloads)) this.#built = workloads;
    return { workloads: this.#built, findings, resolved };
  }

  #upstreamsOf(
    workload: SourceObject<Workload>,
    last: SourceObject<Workload> | undefined,
    services: Catalog["services"],
  ): ResolvedUpstreams {
    const named = [workload, last].flatMap((of) => of?.manifest.spec.upstreams ?? []);
    const read = named.map(({ service }) => {
      const [namespace = "", name = ""] = service.split("/");
      return services.get(serviceKey(namespace, name));
    });
    return this.#upstreams.of(workload, [last, ...read], () => resolveUpstreams(workload, last, services));
  }

  /** Keys of Services by node id and inbound port; governed ones that vanished stand there, too. */
  #servicesInFront(
    { services, workloads, workloadsByNamespace }: Catalog,
    governed: ReadonlyMap<ObjectKey, SourceObject<Service>>,
  ): ReadonlyMap<string, readonly ObjectKey[]> {
    const inFront = new Map<string, ObjectKey[]>();
    if (workloads.length === 0) return inFront;
    const add = (key: ObjectKey, service: SourceObject<Service>) => {
      const selected = this.#selection.of(service, workloadsByNamespace).flat();
      const ids = selected.flatMap(({ workload, inbound }) =>
        inbound.map(({ port }) => `${nodeIdOf(workload.manifest)} ${port}`),
      );
      for (const id of new Set(ids)) {
        const keys = inFront.get(id);
        if (keys === undefined) inFront.set(id, [key]);
        else keys.push(key);
      }
    };
    for (const [key, service] of services) add(key, service);
    for (const [key, service] of governed) if (!services.has(key)) add(key, service);
    return inFront;
  }
}
