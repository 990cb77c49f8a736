import { type MeshConfig, type ObjectKey, objectRef, type SourceObject } from "@hedgerow/manifest";
import type { ClusterState, MtlsMode } from "../cluster/state.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { AccessTable } from "./access.ts";
import { CatalogReader, catalogOf, keyOf } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { generationsOf, parentsByBackend } from "./governing.ts";
import { InspectionTable, onlyRecorded } from "./inspection.ts";
import type { MeshWorkload, Model } from "./model.ts";
import { PodTable } from "./pods.ts";
import { Computed, sameEntries, sameMembers } from "./reuse.ts";
import { RouteTable } from "./routes.ts";
import { SelectionTable } from "./selection.ts";
import { ServiceTable } from "./services.ts";
import { TrafficTable } from "./traffic.ts";
import { WorkloadTable } from "./workloads.ts";

export interface ModelInput {
  /** Keys are distinct; the order does not matter. */
  readonly objects: readonly SourceObject[];
  /** Undefined: there are Workloads alone. */
  readonly cluster: ClusterState | undefined;
  /** Workloads whose agents report ready: only they get requests. Of pods the cluster tells. */
  readonly ready: ReadonlySet<NodeId>;
  /** What the certificate authority signs for. */
  readonly trustDomain: string;
  /** Of the objects. Undefined: nobody counts them. */
  readonly generations?: ReadonlyMap<ObjectKey, number>;
  /** `resolved` of the build before; empty at first. */
  readonly lastResolved: ReadonlyMap<ObjectKey, SourceObject>;
}

export interface ModelResult {
  readonly model: Model;
  /** The one in force: while none is written, the last one. Undefined where there never was any. */
  readonly meshConfig: MeshConfig | undefined;
  readonly findings: readonly Finding[];
  /** For each object that others depend on, the last version whose references resolved. Keep it over restarts. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject>;
}

/** Resolves every reference of the manifests. What does not resolve is told in findings and never widens access. */
export function buildModel(input: ModelInput): ModelResult {
  return new ModelBuilder().build(input);
}

const NO_CLUSTER: ClusterState = { pods: new Map(), services: new Map(), namespaces: new Map() };

/**
 * Builds one model after another, each as `buildModel` would. Whatever is made of the very same objects as before is the very
 * same object in the new model: workloads, service ports, the scope, and what they hold.
 */
export class ModelBuilder {
  readonly #catalog = new CatalogReader();
  readonly #selection = new SelectionTable();
  readonly #routes = new RouteTable();
  readonly #access = new AccessTable();
  readonly #inspection = new InspectionTable();
  readonly #traffic = new TrafficTable();
  readonly #services = new ServiceTable(this.#selection);
  readonly #workloads = new WorkloadTable(this.#selection);
  readonly #pods = new PodTable();
  readonly #all = new Computed(joined);
  #ready: ReadonlySet<NodeId> = new Set();
  #last: ModelResult | undefined;

  build({ objects, cluster = NO_CLUSTER, ready, trustDomain, generations, lastResolved }: ModelInput): ModelResult {
    const catalog = this.#catalog.read(objects);
    const [current, ...otherMeshConfigs] = catalog.meshConfigs;
    // A mesh is not opened by the loss of the file that says `access.default: deny`.
    const meshConfig = current ?? catalogOf([...lastResolved.values()]).meshConfigs[0];
    const settings = meshConfig?.manifest.spec;
    if (!sameMembers(this.#ready, ready)) this.#ready = ready;

    const routes = this.#routes.resolve(catalog.routes, lastResolved, catalog.services);
    const parents = parentsByBackend([...catalog.routes, ...routes.inForce].map(({ manifest }) => manifest));
    const generationOf = generationsOf([...catalog.accessPolicies, ...catalog.auditPolicies], generations);
    const common = { services: catalog.services, lastResolved, parents };
    const traffic = this.#traffic.resolve({ ...common, policies: catalog.trafficPolicies });
    const inspection = this.#inspection.resolve({ ...common, policies: catalog.auditPolicies, traffic, generationOf });
    const access = this.#access.resolve({
      ...common,
      policies: catalog.accessPolicies,
      generationOf,
      onlyRecorded: onlyRecorded(inspection, (key) => catalog.services.has(key) || cluster.services.has(key)),
      meshConfig: meshConfig?.manifest,
      trustDomain,
    });
    const governed = new Map([...access.governed, ...inspection.governed]);
    const labelOf = (namespace: string) => cluster.namespaces.get(namespace)?.mtls;
    const mtlsOf = (namespace: string): MtlsMode => labelOf(namespace) ?? settings?.mtls.mode ?? "permissive";
    const outbound = settings?.outbound.mode ?? "passthrough";
    const { services, scope } = this.#services.build({
      catalog,
      cluster,
      ready: this.#ready,
      attached: routes.attached,
      limitOf: (service) => traffic.ofService(service),
      trustDomain,
      plainEndpoints: (namespace) => mtlsOf(namespace) === "permissive",
      // What says that it is strict must not be called in plain text while none of its pods is there.
      isInScope: (service, namespace) =>
        outbound === "registry-only" || access.isTarget(service) || labelOf(namespace) === "strict",
    });
    const written = this.#workloads.build({ catalog, access, inspection, governed, lastResolved });
    const mtls = settings?.mtls.mode ?? "permissive";
    const pods = this.#pods.build({ cluster, access, inspection, governed, mtls, outbound, scope });
    this.#selection.forgetUnused();

    const resolved = new Map<ObjectKey, SourceObject>([
      ...routes.resolved,
      ...access.resolved,
      ...inspection.resolved,
      ...traffic.resolved,
    ]);
    if (meshConfig !== undefined) resolved.set(keyOf(meshConfig), meshConfig);
    for (const [key, object] of written.resolved) resolved.set(key, object);
    this.#last = keep(this.#last, {
      meshConfig: meshConfig?.manifest,
      model: { trustDomain, workloads: this.#all.of(written.workloads, pods), services },
      findings: [
        ...meshConfigFindings(current, otherMeshConfigs, trustDomain),
        ...written.findings,
        ...routes.findings,
        ...access.findings,
        ...inspection.findings(),
        ...traffic.findings,
      ],
      resolved,
    });
    return this.#last;
  }
}

/** A Workload and a pod of one name: the CA knows one node of that id, and the pod is there. */
function joined(
  written: ReadonlyMap<NodeId, MeshWorkload>,
  pods: ReadonlyMap<NodeId, MeshWorkload>,
): ReadonlyMap<NodeId, MeshWorkload> {
  if (pods.size === 0) return written;
  return written.size === 0 ? pods : new Map([...written, ...pods]);
}

function keep(before: ModelResult | undefined, { model, ...result }: ModelResult): ModelResult {
  if (before === undefined) return { model, ...result };
  const isSame =
    model.workloads === before.model.workloads &&
    model.services === before.model.services &&
    model.trustDomain === before.model.trustDomain;
  return {
    ...result,
    model: isSame ? before.model : model,
    resolved: sameEntries(before.resolved, result.resolved) ? before.resolved : result.resolved,
  };
}

function meshConfigFindings(
  inForce: SourceObject<MeshConfig> | undefined,
  others: readonly SourceObject<MeshConfig>[],
  trustDomain: string,
): readonly Finding[] {
  const findings = others.map(({ manifest }): Finding => {
    const message = `${inForce?.manifest.metadata.namespace}/mesh is older and in force; a mesh has one MeshConfig`;
    return {
      object: objectRef(manifest),
      path: ["metadata", "name"],
      condition: "Conflicted",
      reason: "Conflicted",
      message,
    };
  });
  if (inForce === undefined || inForce.manifest.spec.trustDomain === trustDomain) return findings;
  findings.push({
    object: objectRef(inForce.manifest),
    path: ["spec", "trustDomain"],
    condition: "Accepted",
    reason: "TrustDomainFixed",
    message: `the certificate authority signs for ${trustDomain}, which stays in force`,
  });
  return findings;
}
