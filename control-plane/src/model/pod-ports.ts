// Which ports of which pods the Services of a cluster lead to.
import type { ObjectKey, Service, SourceObject } from "@hedgerow/manifest";
import { portProtocol } from "../cluster/port-protocol.ts";
import type { ClusterService, ClusterState, MeshPod, PortProtocol } from "../cluster/state.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { compareText, keyOf } from "./catalog.ts";
import { sameElements } from "./reuse.ts";
import { isSelected } from "./selection.ts";

/** The ports of a pod, the same object for all pods that are alike. */
export interface PodPorts {
  /** Says all that `ports` does. */
  readonly key: string;
  /** By number. */
  readonly ports: readonly PodPort[];
}

export interface PodPort {
  readonly port: number;
  /** Where Services disagree: http before auto before tcp. */
  readonly protocol: PortProtocol;
  /** The Services in front of it, sorted; none: a port that a container merely declares. */
  readonly services: readonly ObjectKey[];
}

type Targets = ReadonlyMap<number, PortProtocol>;
type Governed = ReadonlyMap<ObjectKey, SourceObject<Service>>;

/**
 * Keeps up with a cluster: a pod is looked at again only when it, or what leads to it, changed. A Service leads to a pod by
 * its endpoints, ready or not, and one that policies govern by its selector, too: protection must not go with an
 * EndpointSlice, nor with the Service itself.
 */
export class PodPortTable {
  #services: ReadonlyMap<ObjectKey, ClusterService> = new Map();
  readonly #targets = new Map<ObjectKey, ReadonlyMap<NodeId, Targets>>();
  readonly #inFront = new Map<NodeId, Map<ObjectKey, Targets>>();
  #pods: ClusterState["pods"] = new Map();
  #governed: Governed = new Map();
  #governedByNamespace = new Map<string, readonly SourceObject<Service>[]>();
  #ports: ReadonlyMap<NodeId, PodPorts> = new Map();

  /** By node id, every pod of the cluster. The same object as before when nothing changed. */
  update(
    { pods, services }: Pick<ClusterState, "pods" | "services">,
    governed: Governed,
  ): ReadonlyMap<NodeId, PodPorts> {
    const changed = this.#updateTargets(services);
    const namespaces = this.#updateGoverned(governed);
    if (pods === this.#pods && changed.size === 0 && namespaces.size === 0) return this.#ports;
    const ports = new Map<NodeId, PodPorts>();
    const shared = new Map([...this.#ports.values()].map((known) => [known.key, known]));
    for (const [nodeId, pod] of pods) {
      const known = this.#ports.get(nodeId);
      const isSame = this.#pods.get(nodeId) === pod && !changed.has(nodeId) && !namespaces.has(pod.namespace);
      if (known !== undefined && isSame) ports.set(nodeId, known);
      else {
        const made = podPorts(this.#portsOf(pod));
        ports.set(nodeId, shared.get(made.key) ?? made);
        if (!shared.has(made.key)) shared.set(made.key, made);
      }
    }
    this.#pods = pods;
    this.#ports = ports;
    return ports;
  }

  /** Returns the pods that Services lead to otherwise than before. */
  #updateTargets(services: ReadonlyMap<ObjectKey, ClusterService>): ReadonlySet<NodeId> {
    const changed = new Set<NodeId>();
    if (services === this.#services) return changed;
    for (const [key, service] of services)
      if (this.#services.get(key) !== service) this.#replaceTargets(key, targetsOf(service), changed);
    for (const key of this.#services.keys()) if (!services.has(key)) this.#replaceTargets(key, new Map(), changed);
    this.#services = services;
    return changed;
  }

  #replaceTargets(key: ObjectKey, targets: ReadonlyMap<NodeId, Targets>, changed: Set<NodeId>): void {
    const before = this.#targets.get(key) ?? new Map<NodeId, Targets>();
    for (const nodeId of before.keys()) {
      if (targets.has(nodeId)) continue;
      const inFront = this.#inFront.get(nodeId);
      inFront?.delete(key);
      if (inFront?.size === 0) this.#inFront.delete(nodeId);
      changed.add(nodeId);
    }
    for (const [nodeId, ports] of targets) {
      const known = before.get(nodeId);
      if (known !== undefined && sameTargets(known, ports)) continue;
      const inFront = this.#inFront.get(nodeId) ?? new Map<ObjectKey, Targets>();
      this.#inFront.set(nodeId, inFront.set(key, ports));
      changed.add(nodeId);
    }
    if (targets.size === 0) this.#targets.delete(key);
    else this.#targets.set(key, targets);
  }

  /** Returns the namespaces in which other Services are governed than before. */
  #updateGoverned(governed: Governed): ReadonlySet<string> {
    const changed = new Set<string>();
    if (governed === this.#governed) return changed;
    this.#governed = governed;
    const before = this.#governedByNamespace;
    this.#governedByNamespace = Map.groupBy(governed.values(), ({ manifest }) => manifest.metadata.namespace);
    for (const namespace of new Set([...before.keys(), ...this.#governedByNamespace.keys()]))
      if (!sameElements(before.get(namespace) ?? [], this.#governedByNamespace.get(namespace) ?? []))
        changed.add(namespace);
    return changed;
  }

  #portsOf(pod: MeshPod): readonly PodPort[] {
    const found = new Map<number, { protocol: PortProtocol; readonly services: Set<ObjectKey> }>();
    const add = (port: number, protocol: PortProtocol, service: ObjectKey) => {
      const known = found.get(port);
      if (known === undefined) found.set(port, { protocol, services: new Set([service]) });
      else {
        known.protocol = stronger(known.protocol, protocol);
        known.services.add(service);
      }
    };
    for (const [key, targets] of this.#inFront.get(pod.nodeId) ?? [])
      for (const [port, protocol] of targets) add(port, protocol, key);
    for (const service of this.#governedByNamespace.get(pod.namespace) ?? [])
      for (const [port, protocol] of selectedTargets(service.manifest, pod)) add(port, protocol, keyOf(service));
    const declared = pod.ports.filter(({ port }) => !found.has(port));
    return [
      ...[...found].map(
        ([port, { protocol, services }]): PodPort => ({ port, protocol, services: [...services].sort(compareText) }),
      ),
      ...declared.map(({ port, name }): PodPort => ({ port, protocol: portProtocol(undefined, name), services: [] })),
    ].sort((a, b) => a.port - b.port);
  }
}

function podPorts(ports: readonly PodPort[]): PodPorts {
  return {
    key: ports.map(({ port, protocol, services }) => `${port}/${protocol}=${services.join()}`).join(" "),
    ports,
  };
}

/** The ports that endpoints of a Service lead to, by pod. Who may write another namespace's pod there must open none of its ports. */
function targetsOf({ ref, ports }: ClusterService): ReadonlyMap<NodeId, Targets> {
  const byPod = new Map<NodeId, Map<number, PortProtocol>>();
  for (const { endpoints, protocol } of ports) {
    for (const { pod, port } of endpoints) {
      if (pod?.startsWith(`${ref.namespace}/`) !== true) continue;
      const targets = byPod.get(pod) ?? new Map<number, PortProtocol>();
      byPod.set(pod, targets.set(port, stronger(targets.get(port) ?? protocol, protocol)));
    }
  }
  return byPod;
}

function sameTargets(a: Targets, b: Targets): boolean {
  return a.size === b.size && [...a].every(([port, protocol]) => b.get(port) === protocol);
}

function selectedTargets({ spec }: Service, pod: MeshPod): readonly (readonly [port: number, PortProtocol])[] {
  if (!isSelected(spec.selector, pod.labels)) return [];
  return spec.ports.flatMap(({ port, targetPort = port, appProtocol, name }) => {
    const target = typeof targetPort === "number" ? targetPort : pod.ports.find((of) => of.name === targetPort)?.port;
    return target === undefined ? [] : [[target, portProtocol(appProtocol, name)] as const];
  });
}

const STRENGTH: Readonly<Record<PortProtocol, number>> = { http: 2, auto: 1, tcp: 0 };

function stronger(a: PortProtocol, b: PortProtocol): PortProtocol {
  return STRENGTH[a] >= STRENGTH[b] ? a : b;
}
