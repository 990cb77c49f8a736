import type { ObjectRef, Workload } from "@hedgerow/manifest";
import type { CompiledAccess } from "@hedgerow/policy";
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
  readonly address: string;
  readonly drainMs: number;
  readonly inbound: readonly InboundPort[];
  readonly upstreams: readonly Upstream[];
}

export interface InboundPort {
  readonly port: number;
  readonly appPort: number;
  readonly protocol: Workload["spec"]["inbound"][number]["protocol"];
  readonly origin: Origin;
  /** A caller gets in when any of these allows it; never empty. */
  readonly access: readonly CompiledAccess[];
  /** What `access` came from. */
  readonly accessOrigins: readonly Origin[];
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
  /** Of the workloads behind it, ready or not: readiness must not change whom a caller trusts. Sorted, distinct. */
  readonly spiffeIds: readonly string[];
  /** The workloads that `spiffeIds` came from. */
  readonly identityOrigins: readonly Origin[];
  /** Ready workloads only, by node id. */
  readonly endpoints: readonly Endpoint[];
  /** In order of precedence. Undefined: no HTTPRoute, so every request goes to the endpoints. */
  readonly routes: readonly Route[] | undefined;
  /** The HTTPRoutes that `routes` came from. */
  readonly routeOrigins: readonly Origin[];
}

export interface Endpoint {
  readonly nodeId: NodeId;
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
