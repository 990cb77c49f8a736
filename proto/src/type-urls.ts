export const CLUSTER_TYPE_URL = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
export const ENDPOINT_TYPE_URL = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
export const LISTENER_TYPE_URL = "type.googleapis.com/envoy.config.listener.v3.Listener";
export const ROUTE_TYPE_URL = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
/** Served by the agent over SDS, never by the control plane: keys do not leave the sidecar. */
export const SECRET_TYPE_URL = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
/** Ours: read by the agent, never by Envoy. */
export const WORKLOAD_CONFIG_TYPE_URL = "type.googleapis.com/hedgerow.agent.v1.WorkloadConfig";

/** Ours: what the agent inspects and records. */
export const INSPECTION_CONFIG_TYPE_URL = "type.googleapis.com/hedgerow.agent.v1.InspectionConfig";

export type AdsTypeUrl =
  | typeof CLUSTER_TYPE_URL
  | typeof ENDPOINT_TYPE_URL
  | typeof LISTENER_TYPE_URL
  | typeof ROUTE_TYPE_URL
  | typeof WORKLOAD_CONFIG_TYPE_URL
  | typeof INSPECTION_CONFIG_TYPE_URL;

/**
 * Every type that the control plane serves on ADS, in the order in which additions are pushed, so that nothing refers to
 * what has not arrived (xDS protocol, "Eventual consistency considerations").
 */
export const ADS_TYPE_URLS: readonly AdsTypeUrl[] = [
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  // Before the routes that lead requests past the agent.
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
];
