import { objectRef, type Service, type SourceObject, type Workload } from "@hedgerow/manifest";
import { serviceAccountId } from "@hedgerow/policy";
import type { NodeId, Origin } from "../snapshot/snapshot.ts";
import { compareText, nodeIdOf, type WorkloadsByNamespace } from "./catalog.ts";
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

/** Workloads of the Service's namespace that carry its selector, all of it. */
export function selectedBy(
  { metadata: { namespace }, spec: { selector } }: Service,
  workloads: WorkloadsByNamespace,
): readonly SourceObject<Workload>[] {
  const labels = Object.entries(selector);
  return (workloads.get(namespace) ?? []).filter(({ manifest }) =>
    labels.every(([name, value]) => manifest.metadata.labels[name] === value),
  );
}

/** The inbound ports of a selected workload that a Service port leads to. */
export function inboundOf(
  { spec }: Workload,
  { port, targetPort = port }: Service["spec"]["ports"][number],
): readonly Workload["spec"]["inbound"][number][] {
  return spec.inbound.filter(({ name, appPort }) =>
    typeof targetPort === "string" ? name === targetPort : appPort === targetPort,
  );
}

/** Every port of a Service with the workloads behind it; routes are attached elsewhere. */
export function servicePorts(
  { manifest }: SourceObject<Service>,
  workloads: WorkloadsByNamespace,
  ready: ReadonlySet<NodeId>,
  trustDomain: string,
): readonly ServicePort[] {
  const { metadata, spec } = manifest;
  const selected = selectedBy(manifest, workloads);
  return spec.ports.map((servicePort, index): ServicePort => {
    const spiffeIds = new Set<string>();
    const identityOrigins: Origin[] = [];
    const endpoints: Endpoint[] = [];
    for (const workload of selected) {
      // Two of its ports may lead to one application: one endpoint is enough.
      const [inbound] = inboundOf(workload.manifest, servicePort);
      if (inbound === undefined) continue;
      const { address, serviceAccount } = workload.manifest.spec;
      const object = objectRef(workload.manifest);
      const nodeId = nodeIdOf(workload.manifest);
      spiffeIds.add(serviceAccountId(trustDomain, object.namespace, serviceAccount));
      identityOrigins.push({ object, path: ["spec", "serviceAccount"] });
      if (ready.has(nodeId))
        endpoints.push({ nodeId, address, port: inbound.port, origin: { object, path: ["spec", "address"] } });
    }
    return {
      id: servicePortId(metadata.namespace, metadata.name, servicePort.port),
      origin: { object: objectRef(manifest), path: ["spec", "ports", index] },
      spiffeIds: [...spiffeIds].toSorted(compareText),
      identityOrigins,
      endpoints,
      routes: undefined,
      virtual: undefined,
      routeOrigins: [],
    };
  });
}
