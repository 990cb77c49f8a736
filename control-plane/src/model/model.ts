import type { AuditPolicy, ObjectRef, Workload } from "@hedgerow/manifest";
import type { CompiledAccess } from "@hedgerow/policy";
import type { MtlsMode, PortProtocol } from "../cluster/state.ts";
import type { NodeId, Origin } from "../snapshot/snapshot.ts";

/** NAMESPACE/SERVICE/PORT: one port of a Service. */
export type ServicePortId = string;

/** The mesh as the manifests mean it: every reference resolved, every rule in order. What translation reads. */
export interface Model {
  readonly trustDomain: string;
  readonly workloads: ReadonlyMap<NodeId, MeshWorkload>;
  readonly services: ReadonlyMap<ServicePortId, ServicePort>;
}

/** A sidecar and what it does. */
export interface MeshWorkload {
  readonly object: ObjectRef;
  readonly nodeId: NodeId;
  /** Empty: a pod that has none yet; nothing is inbound then. */
  readonly address: string;
  /** As the CA attests it. */
  readonly region: string | undefined;
  readonly drainMs: number;
  readonly inbound: readonly InboundPort[];
  /** What the application calls by a local port; empty where traffic is captured. */
  readonly upstreams: readonly Upstream[];
  /** Undefined: a Workload, whose ports are written down. */
  readonly capture: Capture | undefined;
}

/** A pod: iptables leads its traffic to the sidecar, which learns the original destination. */
export interface Capture {
  readonly mtls: MtlsMode;
  /** What happens to calls of addresses that no Service of the mesh has. */
  readonly outbound: "passthrough" | "registry-only";
  /** One object for all pods that see the same services. */
  readonly scope: OutboundScope;
}

/** The service ports that captured callers reach by their own addresses. */
export interface OutboundScope {
  /** Sorted, distinct. */
  readonly services: readonly ServicePortId[];
}

export interface InboundPort {
  readonly port: number;
  readonly appPort: number;
  /** For a captured port `http`, `tcp` or `auto`; for a Workload's, what its manifest says. */
  readonly protocol: Workload["spec"]["inbound"][number]["protocol"] | PortProtocol;
  readonly origin: Origin;
  /** A caller gets in when any of these allows it; never empty. */
  readonly access: readonly CompiledAccess[];
  /** What `access` came from. */
  readonly accessOrigins: readonly Origin[];
  /** How requests are inspected and recorded. Undefined: no AuditPolicy governs the port. */
  readonly inspection: Inspection | undefined;
  /** Bytes of one request, of a TrafficPolicy; of several the least. Undefined: the default. */
  readonly maxRequestBytes: number | undefined;
  /** The TrafficPolicy that `maxRequestBytes` came from. */
  readonly trafficOrigins: readonly Origin[];
}

/** What one AuditPolicy asks of an inbound port. */
export interface Inspection {
  readonly policy: AuditPolicy;
  /** Of the AuditPolicy: the ledger in which its decisions stand. NAMESPACE/NAME. */
  readonly ledger: string;
  /** Of the AuditPolicy. Undefined: of an earlier version, which is no longer known. */
  readonly generation: number | undefined;
  readonly failMode: "closed" | "open";
  /** Bytes of one request; a TrafficPolicy's, or the default. */
  readonly maxRequestBytes: number;
  /** In front of the port: NAMESPACE/NAME, sorted. */
  readonly services: readonly string[];
  /** What it came from: the AuditPolicy, and TrafficPolicies. */
  readonly origins: readonly Origin[];
}

export interface Upstream {
  readonly service: ServicePortId;
  readonly localPort: number;
  readonly origin: Origin;
}

export interface ServicePort {
  readonly id: ServicePortId;
  /** The Service, at the port. */
  readonly origin: Origin;
  /** Of the workloads and pods behind it, ready or not: readiness must not change whom a caller trusts. Sorted, distinct. */
  readonly spiffeIds: readonly string[];
  /** The Workloads that `spiffeIds` came from; pods have no manifest. */
  readonly identityOrigins: readonly Origin[];
  /** Ready ones only: Workloads by node id, then pods and addresses outside the mesh by address. */
  readonly endpoints: readonly Endpoint[];
  /** In order of precedence. Undefined: no HTTPRoute, so every request goes to the endpoints. */
  readonly routes: readonly Route[] | undefined;
  /** Undefined: a Service of manifests alone, which has no address of its own. */
  readonly virtual: VirtualPort | undefined;
  /** The HTTPRoutes that `routes` came from. */
  readonly routeOrigins: readonly Origin[];
  /** Bytes of one request, of a TrafficPolicy. Undefined: the default. */
  readonly maxRequestBytes: number | undefined;
  /** The TrafficPolicy that `maxRequestBytes` came from. */
  readonly trafficOrigins: readonly Origin[];
}

/** A port of a Kubernetes Service, as captured callers meet it. */
export interface VirtualPort {
  readonly port: number;
  readonly protocol: PortProtocol;
  /** Cluster IPs; empty: headless, so callers connect to the endpoints themselves. */
  readonly clusterIps: readonly string[];
  /** True where an endpoint may be called in plain text: the Service's namespace is permissive, or a pod excludes the port. */
  readonly plainEndpoints: boolean;
}

export interface Endpoint {
  /** NAMESPACE/NAME of the Workload or pod; undefined: an address outside the mesh, reached in plain text. */
  readonly nodeId: NodeId | undefined;
  readonly address: string;
  readonly port: number;
  readonly origin: Origin;
}

export interface Route {
  readonly match: RouteMatch;
  readonly backends: readonly Backend[];
}

export interface RouteMatch {
  readonly path: { readonly type: "Exact" | "PathPrefix" | "RegularExpression"; readonly value: string };
  readonly headers: readonly HeaderMatch[];
  readonly method: string | undefined;
}

export interface HeaderMatch {
  readonly type: "Exact" | "RegularExpression";
  /** Lower case. */
  readonly name: string;
  readonly value: string;
}

export interface Backend {
  /** Undefined where the reference does not resolve: its share of requests is answered with 500. */
  readonly service: ServicePortId | undefined;
  readonly weight: number;
}
