import { objectRef, type Service, type SourceObject } from "@hedgerow/manifest";
import { serviceAccountId } from "@hedgerow/policy";
import type { NodeId, Origin } from "../snapshot/snapshot.ts";
import { compareText } from "./catalog.ts";
import type { AcceptedWorkload } from "./inbound.ts";
import type { Endpoint, ServicePort, ServicePortId } from "./model.ts";

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

/** Workloads of the Service's namespace that carry its selector; an empty selector selects none, as in Kubernetes. */
export function selectedBy(
  { metadata: { namespace }, spec: { selector } }: Service,
  byNamespace: ReadonlyMap<string, readonly AcceptedWorkload[]>,
): readonly AcceptedWorkload[] {
  const labels = Object.entries(selector);
  if (labels.length === 0) return [];
  return (byNamespace.get(namespace) ?? []).filter(({ object }) =>
    labels.every(([name, value]) => object.manifest.metadata.labels[name] === value),
  );
}

/** Every port of a Service with the workloads behind it; routes are attached elsewhere. */
export function servicePorts(
  object: SourceObject<Service>,
  byNamespace: ReadonlyMap<string, readonly AcceptedWorkload[]>,
  ready: ReadonlySet<NodeId>,
  trustDomain: string,
): readonly ServicePort[] {
  const { metadata, spec } = object.manifest;
  const selected = selectedBy(object.manifest, byNamespace);
  return spec.ports.map(({ port, targetPort = port }, index): ServicePort => {
    const spiffeIds = new Set<string>();
    const identityOrigins: Origin[] = [];
    const endpoints: Endpoint[] = [];
    for (const workload of selected) {
      const inbound = workload.inbound.find(({ appPort }) => appPort === targetPort);
      if (inbound === undefined) continue;
      const { manifest } = workload.object;
      const ref = objectRef(manifest);
      spiffeIds.add(serviceAccountId(trustDomain, ref.namespace, manifest.spec.serviceAccount));
      identityOrigins.push({ object: ref, path: ["spec", "serviceAccount"] });
      if (!ready.has(workload.nodeId)) continue;
      endpoints.push({
        nodeId: workload.nodeId,
        address: manifest.spec.address,
        port: inbound.port,
        origin: { object: ref, path: ["spec", "address"] },
      });
    }
    return {
      id: servicePortId(metadata.namespace, metadata.name, port),
      origin: { object: objectRef(object.manifest), path: ["spec", "ports", index] },
      spiffeIds: [...spiffeIds].toSorted(compareText),
      identityOrigins,
      endpoints,
      routes: undefined,
      routeOrigins: [],
    };
  });
}
