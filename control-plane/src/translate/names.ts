// Names of resources (ARCHITECTURE.md, "Names on ADS").
import type { ServicePortId } from "../model/model.ts";
import type { NodeId } from "../snapshot/snapshot.ts";

/** Also the name of the Cluster that leads to the application. */
export function inboundName(port: number): string {
  return `inbound/${port}`;
}

export function inboundRouteName(nodeId: NodeId, port: number): string {
  return `inbound/${nodeId}/${port}`;
}

/** The node that an inbound RouteConfiguration is of. */
export function nodeOfInboundRoute(name: string): NodeId {
  return name.slice(name.indexOf("/") + 1, name.lastIndexOf("/"));
}

/** Of the Listener, RouteConfiguration, Cluster and ClusterLoadAssignment of one Service port. */
export function outboundName(service: ServicePortId): string {
  return `outbound/${service}`;
}

/** Of the Cluster and RouteConfiguration that keep the address which the application chose among a headless Service's. */
export function directName(service: ServicePortId): string {
  return `outbound/${service}/direct`;
}

/** Of the Listener for one endpoint of a headless Service. */
export function endpointListenerName(service: ServicePortId, address: string): string {
  return `outbound/${service}/${address}`;
}

/** The Listeners that iptables leads a pod's connections to. */
export const INBOUND_CAPTURE = "inbound-capture";
export const OUTBOUND_CAPTURE = "outbound-capture";

/** Clusters of captured traffic: on to where it was going, nowhere, and on to the pod itself. */
export const PASSTHROUGH = "passthrough";
export const BLACKHOLE = "blackhole";
export const INBOUND_PASSTHROUGH = "inbound-passthrough";

/**
 * A cluster that is never served. A route sends the share of a backend that does not resolve there, and Envoy answers it
 * with 500, as the Gateway API demands.
 */
export const UNRESOLVED_CLUSTER = "unresolved";

/** By such a server name (SNI) a sidecar tells the mesh's mTLS from TLS that belongs to an application. */
export const MESH_SERVER_NAMES = "*.mesh.hedgerow.internal";

/** What callers of a Service name as the server: SERVICE.NAMESPACE.mesh.hedgerow.internal. */
export function meshServerName(id: ServicePortId): string {
  const [namespace, service] = id.split("/");
  return `${service}.${namespace}.mesh.hedgerow.internal`;
}
