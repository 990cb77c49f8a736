import { fromBinary } from "@bufbuild/protobuf";
import { LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import type { Filter } from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import { type RouteConfiguration, RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import type { RouteAction } from "@hedgerow/proto/envoy/config/route/v3/route_components";
import { HttpConnectionManagerSchema } from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import type { Resource } from "../snapshot/snapshot.ts";

/** Names that a resource needs the proxy to hold. */
export interface References {
  readonly clusters: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
}

const NONE: References = { clusters: new Set(), routes: new Set() };
const HTTP_CONNECTION_MANAGER =
  "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

// The bytes are immutable and shared by many proxies: they are read once.
const known = new WeakMap<Uint8Array, References>();

/**
 * What a RouteConfiguration or Listener refers to, read from its own bytes, so that it holds for whatever translation
 * makes. Clusters named by network filters other than the HTTP connection manager are not seen: translation has none.
 */
export function referencesOf(resource: Resource): References {
  if (resource.typeUrl !== ROUTE_TYPE_URL && resource.typeUrl !== LISTENER_TYPE_URL) return NONE;
  let references = known.get(resource.encoded);
  if (references === undefined) {
    references = read(resource);
    known.set(resource.encoded, references);
  }
  return references;
}

function read({ typeUrl, encoded }: Resource): References {
  const clusters = new Set<string>();
  const routes = new Set<string>();
  const value = fromBinary(ResourceSchema, encoded).resource?.value;
  if (value === undefined) return NONE;
  if (typeUrl === ROUTE_TYPE_URL) {
    readRoutes(fromBinary(RouteConfigurationSchema, value), clusters);
  } else {
    const listener = fromBinary(ListenerSchema, value);
    const chains = listener.defaultFilterChain
      ? [...listener.filterChains, listener.defaultFilterChain]
      : listener.filterChains;
    for (const filter of chains.flatMap(({ filters }) => filters)) readFilter(filter, clusters, routes);
  }
  return { clusters, routes };
}

function readFilter({ configType }: Filter, clusters: Set<string>, routes: Set<string>): void {
  if (configType.case !== "typedConfig" || configType.value.typeUrl !== HTTP_CONNECTION_MANAGER) return;
  const { routeSpecifier } = fromBinary(HttpConnectionManagerSchema, configType.value.value);
  if (routeSpecifier.case === "rds") routes.add(routeSpecifier.value.routeConfigName);
  if (routeSpecifier.case === "routeConfig") readRoutes(routeSpecifier.value, clusters);
}

function readRoutes(configuration: RouteConfiguration, clusters: Set<string>): void {
  const mirrors = [...configuration.requestMirrorPolicies];
  for (const host of configuration.virtualHosts) {
    mirrors.push(...host.requestMirrorPolicies);
    for (const { action } of host.routes) {
      if (action.case !== "route") continue;
      mirrors.push(...action.value.requestMirrorPolicies);
      readAction(action.value, clusters);
    }
  }
  for (const { cluster } of mirrors) if (cluster !== "") clusters.add(cluster);
}

function readAction({ clusterSpecifier }: RouteAction, clusters: Set<string>): void {
  if (clusterSpecifier.case === "cluster") clusters.add(clusterSpecifier.value);
  if (clusterSpecifier.case === "weightedClusters") {
    for (const { name } of clusterSpecifier.value.clusters) clusters.add(name);
  }
}
