// What Kubernetes says that no manifest does: pods, addresses, endpoints.
import type { ObjectKey, ObjectRef } from "@hedgerow/manifest";
import type { NodeId } from "../snapshot/snapshot.ts";

/**
 * The cluster as its API server last described it. Immutable. A part that did not change is the very same object in the next
 * state, so that what was computed from it can be kept: endpoints change all the time, and nothing else then.
 */
export interface ClusterState {
  /** Pods with a sidecar, by node id (NAMESPACE/POD). Finished pods (Succeeded, Failed) are left out. */
  readonly pods: ReadonlyMap<NodeId, MeshPod>;
  /** Every Service of type ClusterIP, NodePort or LoadBalancer; ExternalName means nothing to a mesh. */
  readonly services: ReadonlyMap<ObjectKey, ClusterService>;
  /** Every Namespace, by name. */
  readonly namespaces: ReadonlyMap<string, MeshNamespace>;
}

export type MtlsMode = "strict" | "permissive";

export interface MeshNamespace {
  readonly name: string;
  /** Label hedgerow.dev/mtls; undefined: what MeshConfig says. */
  readonly mtls: MtlsMode | undefined;
}

/** A pod that the injector gave a sidecar (label hedgerow.dev/mesh: "true"). */
export interface MeshPod {
  /** NAMESPACE/POD: the xDS node id. */
  readonly nodeId: NodeId;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
  /** For selectors of Services that are protected: endpoints come and go, and protection must not go with them. */
  readonly labels: Readonly<Record<string, string>>;
  /** status.podIP; undefined until the pod has one: such a pod is served nothing inbound. */
  readonly address: string | undefined;
  /** spec.nodeName. */
  readonly nodeName: string | undefined;
  /** Label topology.kubernetes.io/region of its node. */
  readonly region: string | undefined;
  /** Of containers: the TCP ports, distinct, by number. */
  readonly ports: readonly { readonly name: string | undefined; readonly port: number }[];
  /** Ports whose connections the pod's iptables lead to its sidecar; the others answer as without a mesh. */
  readonly captured: CapturedPorts;
  /** Annotation hedgerow.dev/drain, milliseconds; default 5000. */
  readonly drainMs: number;
  /** metadata.deletionTimestamp is set. */
  readonly terminating: boolean;
}

/** By the annotations hedgerow.dev/inbound-ports and exclude-inbound-ports; exclusions go before. */
export interface CapturedPorts {
  /** Undefined: all. */
  readonly only: readonly number[] | undefined;
  readonly except: readonly number[];
}

export function isCaptured({ captured: { only, except } }: Pick<MeshPod, "captured">, port: number): boolean {
  return !except.includes(port) && (only === undefined || only.includes(port));
}

/** What a port of a Service carries: `http` is HTTP/1.1 and HTTP/2 alike; `auto` is told by the first bytes. */
export type PortProtocol = "http" | "tcp" | "auto";

/** A Service with its addresses and endpoints. Its manifest (SourceObject<Service>) stands in the view's objects, too. */
export interface ClusterService {
  readonly ref: ObjectRef;
  /** Every cluster IP; empty: headless. */
  readonly clusterIps: readonly string[];
  /** In the order of spec.ports. UDP and SCTP ports are left out. */
  readonly ports: readonly ClusterServicePort[];
}

export interface ClusterServicePort {
  readonly port: number;
  readonly name: string | undefined;
  /**
   * appProtocol, else the port's name up to its first "-": http, http2, grpc, h2c, kubernetes.io/h2c, grpc-web, connect →
   * http; tcp, tls, https, mysql, redis, mongo → tcp; nothing of these → auto.
   */
  readonly protocol: PortProtocol;
  /** Of all EndpointSlices of the Service, by address then port. Terminating ones are not ready. */
  readonly endpoints: readonly ClusterEndpoint[];
}

export interface ClusterEndpoint {
  readonly address: string;
  /** The port that the slice resolved targetPort to. */
  readonly port: number;
  readonly ready: boolean;
  /** targetRef, where it is a Pod: NAMESPACE/POD, in the mesh or not. */
  readonly pod: NodeId | undefined;
}
