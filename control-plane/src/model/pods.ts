import type { ObjectKey, ObjectRef } from "@hedgerow/manifest";
import type { ClusterState, MeshPod, MtlsMode } from "../cluster/state.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { ResolvedAccess } from "./access.ts";
import type { Capture, InboundPort, MeshWorkload, OutboundScope } from "./model.ts";
import { type PodPort, type PodPorts, PodPortTable } from "./pod-ports.ts";
import { ComputedByKey, sameEntries } from "./reuse.ts";

export interface PodsInput {
  readonly cluster: ClusterState;
  readonly access: ResolvedAccess;
  readonly mtlsOf: (namespace: string) => MtlsMode;
  readonly outbound: Capture["outbound"];
  readonly scope: OutboundScope;
}

/** The sidecars of pods, build after build: one that nothing changed for is the same object. */
export class PodTable {
  readonly #ports = new PodPortTable();
  readonly #captures = new ComputedByKey<MtlsMode, Capture>();
  readonly #inbound = new ComputedByKey<string, readonly InboundPort[]>();
  #pods: ReadonlyMap<NodeId, MeshWorkload> = new Map();

  /** By node id, in the order of the cluster. */
  build({ cluster, access, mtlsOf, outbound, scope }: PodsInput): ReadonlyMap<NodeId, MeshWorkload> {
    const ports = this.#ports.update(cluster, access.governed);
    const captureOf = (mtls: MtlsMode) => this.#captures.of(mtls, [outbound, scope], () => ({ mtls, outbound, scope }));
    // Many pods are alike: what governs their ports is asked once.
    const inbound = new Map<string, readonly InboundPort[]>();
    const inboundOf = (pod: MeshPod, { key, ports }: PodPorts, mtls: MtlsMode) => {
      const service = ports.flatMap(({ services }) => services)[0];
      const of = service === undefined ? `${mtls} ${pod.nodeId} ${key}` : `${mtls} ${key}`;
      const made = inbound.get(of) ?? this.#inboundOf(of, ports, mtls, access, service ?? podKey(pod));
      inbound.set(of, made);
      return made;
    };
    const pods = new Map<NodeId, MeshWorkload>();
    for (const [nodeId, pod] of cluster.pods) {
      const mtls = mtlsOf(pod.namespace);
      const capture = captureOf(mtls);
      const own = ports.get(nodeId);
      const known = this.#pods.get(nodeId);
      const reached = own === undefined || pod.address === undefined ? NOTHING : inboundOf(pod, own, mtls);
      pods.set(nodeId, isSame(known, pod, reached, capture) ? known : meshWorkload(pod, reached, capture));
    }
    this.#captures.forgetUnused();
    this.#inbound.forgetUnused();
    if (!sameEntries(this.#pods, pods)) this.#pods = pods;
    return this.#pods;
  }

  #inboundOf(
    key: string,
    ports: readonly PodPort[],
    mtls: MtlsMode,
    access: ResolvedAccess,
    owner: ObjectKey,
  ): readonly InboundPort[] {
    const governing = ports.map(({ services }) => access.of(services, mtls));
    return this.#inbound.of(key, governing, () =>
      ports.map(({ port, protocol, services: [service = owner] }, index): InboundPort => {
        const { access: policies = [], accessOrigins = [] } = governing[index] ?? {};
        const origin = { object: refOf(service), path: ["spec", "ports"] };
        return { port, appPort: port, protocol, origin, access: policies, accessOrigins };
      }),
    );
  }
}

const NOTHING: readonly InboundPort[] = [];

function isSame(
  known: MeshWorkload | undefined,
  { address = "", drainMs }: MeshPod,
  inbound: readonly InboundPort[],
  capture: Capture,
): known is MeshWorkload {
  return (
    known !== undefined &&
    known.address === address &&
    known.drainMs === drainMs &&
    known.inbound === inbound &&
    known.capture === capture
  );
}

function meshWorkload(pod: MeshPod, inbound: readonly InboundPort[], capture: Capture): MeshWorkload {
  const { nodeId, namespace, name, address = "", drainMs } = pod;
  return { object: { kind: "Pod", namespace, name }, nodeId, address, drainMs, inbound, upstreams: [], capture };
}

function podKey({ namespace, name }: MeshPod): ObjectKey {
  return `Pod/${namespace}/${name}`;
}

function refOf(key: ObjectKey): ObjectRef {
  const [kind, namespace = "", name = ""] = key.split("/", 3);
  return { kind: kind === "Pod" ? kind : "Service", namespace, name };
}
