import { type HTTPRoute, type MeshConfig, type ObjectKey, objectRef, type SourceObject } from "@hedgerow/manifest";
import type { NodeId } from "../snapshot/snapshot.ts";
import { resolveAccess } from "./access.ts";
import { type Catalog, catalogOf, keyOf, nodeIdOf, objectOfKind } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import type { MeshWorkload, Model, ServicePort, ServicePortId } from "./model.ts";
import { attachRoutes, resolveRoutes } from "./routes.ts";
import { servicePorts } from "./service-ports.ts";
import { resolveUpstreams } from "./upstreams.ts";

export interface ModelInput {
  /** Keys are distinct; the order does not matter. */
  readonly objects: readonly SourceObject[];
  /** Workloads whose agents report ready: only they get requests. */
  readonly ready: ReadonlySet<NodeId>;
  /** What the certificate authority signs for. */
  readonly trustDomain: string;
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
export function buildModel({ objects, ready, trustDomain, lastResolved }: ModelInput): ModelResult {
  const catalog = catalogOf(objects);
  const [current, ...otherMeshConfigs] = catalog.meshConfigs;
  // A mesh is not opened by the loss of the file that says `access.default: deny`.
  const meshConfig = current ?? catalogOf([...lastResolved.values()]).meshConfigs[0];
  const routes = resolveRoutes(catalog.routes, lastResolved, catalog.services);
  const access = resolveAccess({
    policies: catalog.accessPolicies,
    services: catalog.services,
    lastResolved,
    workloadsByNamespace: catalog.workloadsByNamespace,
    routes: [...catalog.routes, ...routes.inForce].map(({ manifest }) => manifest),
    meshConfig: meshConfig?.manifest,
    trustDomain,
  });
  const resolved = new Map<ObjectKey, SourceObject>([...routes.resolved, ...access.resolved]);
  if (meshConfig !== undefined) resolved.set(keyOf(meshConfig), meshConfig);
  const upstreamFindings: Finding[] = [];
  const workloads = catalog.workloads.map((workload): MeshWorkload => {
    const key = keyOf(workload);
    const last = objectOfKind(lastResolved, "Workload", key);
    const { upstreams, findings, resolved: remembered } = resolveUpstreams(workload, last, catalog.services);
    if (remembered !== undefined) resolved.set(key, remembered);
    upstreamFindings.push(...findings);
    const object = objectRef(workload.manifest);
    const nodeId = nodeIdOf(workload.manifest);
    const { address, drain, inbound } = workload.manifest.spec;
    return {
      object,
      nodeId,
      address,
      drainMs: drain,
      inbound: inbound.map(({ port, appPort, protocol }, index) => ({
        port,
        appPort,
        protocol,
        origin: { object, path: ["spec", "inbound", index] },
        ...access.accessOf(nodeId, port),
      })),
      upstreams,
      capture: undefined,
    };
  });
  return {
    meshConfig: meshConfig?.manifest,
    model: {
      trustDomain,
      workloads: new Map(workloads.map((workload) => [workload.nodeId, workload])),
      services: buildServices(catalog, routes.inForce, ready, trustDomain),
    },
    findings: [
      ...meshConfigFindings(current, otherMeshConfigs, trustDomain),
      ...upstreamFindings,
      ...routes.findings,
      ...access.findings,
    ],
    resolved,
  };
}

function buildServices(
  { services, workloadsByNamespace }: Catalog,
  inForce: readonly SourceObject<HTTPRoute>[],
  ready: ReadonlySet<NodeId>,
  trustDomain: string,
): ReadonlyMap<ServicePortId, ServicePort> {
  const attached = attachRoutes(inForce, services);
  const built = new Map<ServicePortId, ServicePort>();
  for (const service of services.values()) {
    for (const port of servicePorts(service, workloadsByNamespace, ready, trustDomain)) {
      const entry = attached.get(port.id);
      if (entry === undefined) built.set(port.id, port);
      else {
        const routeOrigins = entry.objects.map((route) => ({ object: objectRef(route), path: ["spec", "rules"] }));
        built.set(port.id, { ...port, routes: entry.routes, routeOrigins });
      }
    }
  }
  return built;
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
