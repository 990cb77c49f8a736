import { type ObjectRef, objectRef, type Service, type SourceObject } from "@hedgerow/manifest";
import { serviceAccountId } from "@hedgerow/policy";
import {
  type ClusterEndpoint,
  type ClusterService,
  type ClusterServicePort,
  isCaptured,
  type MeshPod,
} from "../cluster/state.ts";
import type { NodeId, Origin } from "../snapshot/snapshot.ts";
import { compareText, nodeIdOf } from "./catalog.ts";
import type { Endpoint, ServicePort, ServicePortId } from "./model.ts";
import type { SelectedWorkload } from "./selection.ts";

/** The port of a Service that a reference means, or the reason why it means none. */
export type PortResolution =
  | { readonly ok: true; readonly port: number }
  | { readonly ok: false; readonly reason: "PortNotFound" | "PortNotSpecified" };

export function resolvePort({ spec }: Service, port: number | undefined): PortResolution {
  const [first, ...others] = spec.ports;
  if (port === undefined)
    return first !== undefined && others.length === 0
      ? { ok: true, port: first.port }
      : { ok: false, reason: "PortNotSpecified" };
  return spec.ports.some((candidate) => candidate.port === port)
    ? { ok: true, port }
    : { ok: false, reason: "PortNotFound" };
}

/** For a person: why a port resolves to none. */
export function portMessage(
  reason: "PortNotFound" | "PortNotSpecified",
  service: string,
  port: number | undefined,
): string {
  return reason === "PortNotFound"
    ? `service ${service} has no port ${port}`
    : `service ${service} has several ports, so a port must be given`;
}

export function servicePortId(namespace: string, service: string, port: number): ServicePortId {
  return `${namespace}/${service}/${port}`;
}

export interface ServicePortsInput {
  /** One of both at least. */
  readonly manifest: SourceObject<Service> | undefined;
  readonly service: ClusterService | undefined;
  /** By the index of the port in the manifest. */
  readonly selected: readonly (readonly SelectedWorkload[])[];
  readonly ready: ReadonlySet<NodeId>;
  readonly pods: ReadonlyMap<NodeId, MeshPod>;
  /** Whether endpoints outside the mesh may be called in plain text. */
  readonly plainEndpoints: boolean;
  readonly trustDomain: string;
}

/** Every port of a Service with the workloads and pods behind it; routes are attached elsewhere. */
export function servicePorts(input: ServicePortsInput): readonly ServicePort[] {
  const { manifest, service } = input;
  const object = manifest === undefined ? service?.ref : objectRef(manifest.manifest);
  if (object === undefined) return [];
  const written = manifest?.manifest.spec.ports.map(({ port }) => port) ?? [];
  // Both are read from one object, so that they name the same ports; a port of one alone is served by what is known of it.
  const numbers = new Set([...written, ...(service?.ports.map(({ port }) => port) ?? [])]);
  return [...numbers].map((port) => servicePort(input, object, port, written.indexOf(port)));
}

function servicePort(
  { service, selected, ready, pods, plainEndpoints, trustDomain }: ServicePortsInput,
  object: ObjectRef,
  port: number,
  index: number,
): ServicePort {
  const origin: Origin = { object, path: index === -1 ? ["spec", "ports"] : ["spec", "ports", index] };
  const spiffeIds = new Set<string>();
  const identityOrigins: Origin[] = [];
  const endpoints: Endpoint[] = [];
  for (const { workload, inbound } of selected[index] ?? []) {
    const { address, serviceAccount } = workload.manifest.spec;
    const ref = objectRef(workload.manifest);
    const nodeId = nodeIdOf(workload.manifest);
    spiffeIds.add(serviceAccountId(trustDomain, ref.namespace, serviceAccount));
    identityOrigins.push({ object: ref, path: ["spec", "serviceAccount"] });
    // Two of its ports may lead to one application: one endpoint is enough.
    if (ready.has(nodeId))
      endpoints.push({ nodeId, address, port: inbound[0].port, origin: { object: ref, path: ["spec", "address"] } });
  }
  const cluster = service?.ports.find((candidate) => candidate.port === port);
  let anyExcluded = false;
  for (const endpoint of cluster?.endpoints ?? []) {
    const pod = meshPodOf(endpoint, object.namespace, pods);
    // Its owner took the port out of the mesh: whoever calls it calls the application itself, also in a strict namespace.
    const isExcluded = pod !== undefined && !isCaptured(pod, endpoint.port);
    anyExcluded ||= isExcluded;
    if (pod !== undefined && !isExcluded)
      spiffeIds.add(serviceAccountId(trustDomain, pod.namespace, pod.serviceAccount));
    if (!endpoint.ready || (pod === undefined && !plainEndpoints)) continue;
    // Its second address, of the other IP family, is not captured, and refuses.
    if (pod !== undefined && endpoint.address !== pod.address) continue;
    // A pod has no manifest to blame: what is wrong with an endpoint is said of its Service.
    const nodeId = isExcluded ? undefined : pod?.nodeId;
    endpoints.push({ nodeId, address: endpoint.address, port: endpoint.port, origin });
  }
  return {
    id: servicePortId(object.namespace, object.name, port),
    origin,
    spiffeIds: [...spiffeIds].sort(compareText),
    identityOrigins,
    endpoints,
    routes: undefined,
    virtual: cluster && virtualPort(cluster, service?.clusterIps ?? [], plainEndpoints || anyExcluded),
    routeOrigins: [],
    maxRequestBytes: undefined,
    trafficOrigins: [],
  };
}

/** The pod of the mesh behind an endpoint. One of another namespace than the Service's does not count: anybody can write it down. */
function meshPodOf(
  { pod: nodeId }: ClusterEndpoint,
  namespace: string,
  pods: ReadonlyMap<NodeId, MeshPod>,
): MeshPod | undefined {
  const pod = nodeId === undefined ? undefined : pods.get(nodeId);
  return pod?.namespace === namespace ? pod : undefined;
}

function virtualPort(
  { port, protocol }: ClusterServicePort,
  clusterIps: readonly string[],
  plainEndpoints: boolean,
): NonNullable<ServicePort["virtual"]> {
  return { port, protocol, clusterIps, plainEndpoints };
}
