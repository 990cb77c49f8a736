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

/** Of the Listener, RouteConfiguration, Cluster and ClusterLoadAssignment of one Service port. */
export function outboundName(service: ServicePortId): string {
  return `outbound/${service}`;
}

/**
 * A cluster that is never served. A route sends the share of a backend that does not resolve there, and Envoy answers it
 * with 500, as the Gateway API demands.
 */
export const UNRESOLVED_CLUSTER = "unresolved";
