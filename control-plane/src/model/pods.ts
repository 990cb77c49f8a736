import type { ObjectKey, ObjectRef, Service, SourceObject } from "@hedgerow/manifest";
import type { ClusterState, MeshPod, MtlsMode } from "../cluster/state.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { ResolvedAccess } from "./access.ts";
import type { ResolvedInspection } from "./inspection.ts";
import type { Capture, InboundPort, MeshWorkload, OutboundScope } from "./model.ts";
import { type PodPorts, PodPortTable } from "./pod-ports.ts";
import { ComputedByKey, sameElements, sameEntries } from "./reuse.ts";

export interface PodsInput {
  readonly cluster: ClusterState;
  readonly access: ResolvedAccess;
  readonly inspection: ResolvedInspection;
  /** Services that policies govern, vanished ones too. */
  readonly governed: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  /** Where a namespace has no label. */
  readonly mtls: MtlsMode;
  readonly outbound: Capture["outbound"];
  readonly scope: OutboundScope;
}

/** A pod of a kind of pods: those whose ports are alike. */
interface Kind {
  readonly mtls: MtlsMode;
  readonly ports: PodPorts;
  /** What its ports are said to come from where no Service is in front. */
  readonly owner: ObjectKey;
}

/** The sidecars of pods, build after build: one that nothing changed for is the same object. */
export class PodTable {
  readonly #ports = new PodPortTable();
  readonly #captures = new ComputedByKey<MtlsMode, Capture>();
  readonly #inbound = new ComputedByKey<string, readonly InboundPort[]>();
  #last: { readonly inputs: readonly unknown[]; readonly kinds: ReadonlyMap<Kind, readonly InboundPort[]> } | undefined;
  #pods: ReadonlyMap<NodeId, MeshWorkload> = new Map();

  /** By node id, in the order of the cluster. */
  build({
    cluster,
    access,
    inspection,
    governed,
    mtls,
    outbound,
    scope,
  }: PodsInput): ReadonlyMap<NodeId, MeshWorkload> {
    const ports = this.#ports.update(cluster, governed);
    const inputs = [cluster.pods, cluster.namespaces, ports, mtls, outbound, scope];
    const isSame = this.#last !== undefined && sameElements(this.#last.inputs, inputs);
    // Thousands of pods are of few kinds: what governs their ports is asked once.
    if (!isSame || !this.#isGovernedAsBefore(access, inspection)) {
      const pods = new Map<NodeId, MeshWorkload>();
      const kinds = new Kinds();
      for (const [nodeId, pod] of cluster.pods) {
        const mode = cluster.namespaces.get(pod.namespace)?.mtls ?? mtls;
        const capture = this.#captures.of(mode, [outbound, scope], () => ({ mtls: mode, outbound, scope }));
        const own = ports.get(nodeId);
        const inbound =
          own === undefined || pod.address === undefined
            ? NOTHING
            : kinds.inboundOf(pod, own, mode, (kind) => this.#inboundOf(kind, access, inspection));
        const known = this.#pods.get(nodeId);
        pods.set(nodeId, isUnchanged(known, pod, inbound, capture) ? known : meshWorkload(pod, inbound, capture));
      }
      this.#last = { inputs, kinds: kinds.all };
      this.#captures.forgetUnused();
      if (!sameEntries(this.#pods, pods)) this.#pods = pods;
    }
    this.#inbound.forgetUnused();
    return this.#pods;
  }

  #isGovernedAsBefore(access: ResolvedAccess, inspection: ResolvedInspection): boolean {
    let isSame = true;
    for (const [kind, inbound] of this.#last?.kinds ?? [])
      if (this.#inboundOf(kind, access, inspection) !== inbound) isSame = false;
    return isSame;
  }

  #inboundOf(
    { mtls, ports: { key, ports }, owner }: Kind,
    access: ResolvedAccess,
    inspection: ResolvedInspection,
  ): readonly InboundPort[] {
    const { namespace } = refOf(owner);
    const governing = ports.map(({ services }) => access.of(services, mtls));
    const inspected = ports.map((port) => inspection.of(port.services, namespace, port));
    return this.#inbound.of(`${mtls} ${owner} ${key}`, [...governing, ...inspected], () =>
      ports.map(({ port, protocol, services: [service = owner] }, index): InboundPort => {
        const { access: policies = [], accessOrigins = [] } = governing[index] ?? {};
        const origin = { object: refOf(service), path: ["spec", "ports"] };
        const { inspection: asked, maxRequestBytes, trafficOrigins = [] } = inspected[index] ?? {};
        return {
          port,
          appPort: port,
          protocol,
          origin,
          access: policies,
          accessOrigins,
          inspection: asked,
          maxRequestBytes,
          trafficOrigins,
        };
      }),
    );
  }
}

/** The kinds of pods of one build. A pod that no Service is in front of is one by itself: its ports come from it alone. */
class Kinds {
  readonly all = new Map<Kind, readonly InboundPort[]>();
  readonly #byPorts = new Map<PodPorts, Map<MtlsMode, readonly InboundPort[]>>();

  inboundOf(
    pod: MeshPod,
    ports: PodPorts,
    mtls: MtlsMode,
    make: (kind: Kind) => readonly InboundPort[],
  ): readonly InboundPort[] {
    const byMode = this.#byPorts.get(ports) ?? new Map<MtlsMode, readonly InboundPort[]>();
    const known = byMode.get(mtls);
    if (known !== undefined) return known;
    const service = ports.ports.flatMap(({ services }) => services)[0];
    const kind = { mtls, ports, owner: service ?? podKey(pod) };
    const inbound = ports.ports.length === 0 ? NOTHING : make(kind);
    this.all.set(kind, inbound);
    if (service !== undefined || inbound === NOTHING) this.#byPorts.set(ports, byMode.set(mtls, inbound));
    return inbound;
  }
}

const NOTHING: readonly InboundPort[] = [];

function isUnchanged(
  known: MeshWorkload | undefined,
  { address = "", region, drainMs }: MeshPod,
  inbound: readonly InboundPort[],
  capture: Capture,
): known is MeshWorkload {
  return (
    known !== undefined &&
    known.address === address &&
    known.region === region &&
    known.drainMs === drainMs &&
    known.inbound === inbound &&
    known.capture === capture
  );
}

function meshWorkload(pod: MeshPod, inbound: readonly InboundPort[], capture: Capture): MeshWorkload {
  const { nodeId, namespace, name, address = "", region, drainMs } = pod;
  return {
    object: { kind: "Pod", namespace, name },
    nodeId,
    address,
    region,
    drainMs,
    inbound,
    upstreams: [],
    capture,
  };
}

function podKey({ namespace, name }: MeshPod): ObjectKey {
  return `Pod/${namespace}/${name}`;
}

function refOf(key: ObjectKey): ObjectRef {
  const [kind, namespace = "", name = ""] = key.split("/", 3);
  return { kind: kind === "Pod" ? kind : "Service", namespace, name };
}
