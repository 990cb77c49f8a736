// What a resource refers to, read from the bytes that go out, so that it holds for whatever translation makes.
import { fromJson, isMessage, type Message } from "@bufbuild/protobuf";
import { type Any, anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type AdsTypeUrl,
  AUDIT_METADATA,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
} from "@hedgerow/proto";
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { type RouteConfiguration, RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import type { RouteAction } from "@hedgerow/proto/envoy/config/route/v3/route_components";
import { HttpConnectionManagerSchema } from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { type TcpProxy, TcpProxySchema } from "@hedgerow/proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { type TypedStruct, TypedStructSchema } from "@hedgerow/proto/xds/type/v3/typed_struct";
import { nodeOfInboundRoute, UNRESOLVED_CLUSTER } from "../translate/names.ts";
import { decodeResource, REGISTRY } from "./decode.ts";
import type { Resource } from "./snapshot.ts";

/** A resource that another one needs its proxy to have. */
export interface Reference {
  readonly typeUrl: AdsTypeUrl;
  readonly name: string;
}

// Bytes never change, and many proxies share them: they are read once in the life of the process.
const known = new WeakMap<Uint8Array, readonly Reference[]>();

/**
 * Distinct: assignments of clusters and clusters of assignments, routes and clusters of listeners (of the HTTP connection
 * manager and the TCP proxy), clusters of routes, the inspection of recorded ones, listeners that the agent waits for. Throws on bytes that are not ours.
 */
export function referencesOf(resource: Resource): readonly Reference[] {
  let references = known.get(resource.encoded);
  if (references === undefined) {
    references = distinct(read(decodeResource(resource)));
    known.set(resource.encoded, references);
  }
  return references;
}

function distinct(references: readonly Reference[]): readonly Reference[] {
  if (references.length < 2) return references;
  return [...new Map(references.map((reference) => [`${reference.typeUrl} ${reference.name}`, reference])).values()];
}

function read(message: Message): readonly Reference[] {
  if (isMessage(message, ClusterSchema)) return readCluster(message);
  if (isMessage(message, ClusterLoadAssignmentSchema)) return [cluster(message.clusterName)];
  if (isMessage(message, ListenerSchema)) return readListener(message);
  if (isMessage(message, RouteConfigurationSchema)) return readRoutes(message);
  if (isMessage(message, WorkloadConfigSchema)) {
    const { inbound, upstreams, listeners } = message;
    const names = [...[...inbound, ...upstreams].map(({ listener }) => listener), ...listeners];
    return names.map((name) => ({ typeUrl: LISTENER_TYPE_URL, name }));
  }
  return [];
}

function cluster(name: string): Reference {
  return { typeUrl: CLUSTER_TYPE_URL, name };
}

function readCluster({ name, clusterDiscoveryType }: Cluster): readonly Reference[] {
  const eds = clusterDiscoveryType.case === "type" && clusterDiscoveryType.value === Cluster_DiscoveryType.EDS;
  return eds ? [{ typeUrl: ENDPOINT_TYPE_URL, name }] : [];
}

function readListener({ filterChains, defaultFilterChain }: Listener): readonly Reference[] {
  const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
  return chains.flatMap(({ filters }) =>
    filters.flatMap(({ configType }) => (configType.case === "typedConfig" ? readFilter(configType.value) : [])),
  );
}

function readFilter(config: Any): readonly Reference[] {
  const manager = anyUnpack(config, HttpConnectionManagerSchema);
  if (manager?.routeSpecifier.case === "rds")
    return [{ typeUrl: ROUTE_TYPE_URL, name: manager.routeSpecifier.value.routeConfigName }];
  if (manager?.routeSpecifier.case === "routeConfig") return readRoutes(manager.routeSpecifier.value);
  const proxy = anyUnpack(config, TcpProxySchema) ?? tcpProxyOf(anyUnpack(config, TypedStructSchema));
  return proxy === undefined ? [] : readTcpProxy(proxy);
}

// How one goes out that has fields newer than our types.
function tcpProxyOf(struct: TypedStruct | undefined): TcpProxy | undefined {
  if (struct?.value === undefined || !struct.typeUrl.endsWith(`/${TcpProxySchema.typeName}`)) return undefined;
  return fromJson(TcpProxySchema, struct.value, { ignoreUnknownFields: true, registry: REGISTRY });
}

function readTcpProxy({ clusterSpecifier }: TcpProxy): readonly Reference[] {
  switch (clusterSpecifier.case) {
    case "cluster":
      return [cluster(clusterSpecifier.value)];
    case "weightedClusters":
      return clusterSpecifier.value.clusters.map(({ name }) => cluster(name));
    case undefined:
      return [];
  }
}

function readRoutes({ name, virtualHosts, requestMirrorPolicies }: RouteConfiguration): readonly Reference[] {
  const routes = virtualHosts.flatMap((host) => host.routes);
  const isRecorded = routes.some(({ metadata }) => metadata?.filterMetadata[AUDIT_METADATA] !== undefined);
  const actions = routes.flatMap(({ action }) => (action.case === "route" ? [action.value] : []));
  const mirrors = [requestMirrorPolicies, ...[...virtualHosts, ...actions].map((from) => from.requestMirrorPolicies)];
  const names = [...actions.flatMap(clustersOf), ...mirrors.flat().map((mirror) => mirror.cluster)];
  const clusters = names.filter((each) => each !== "" && each !== UNRESOLVED_CLUSTER).map(cluster);
  return isRecorded ? [...clusters, { typeUrl: INSPECTION_CONFIG_TYPE_URL, name: nodeOfInboundRoute(name) }] : clusters;
}

function clustersOf({ clusterSpecifier }: RouteAction): readonly string[] {
  switch (clusterSpecifier.case) {
    case "cluster":
      return [clusterSpecifier.value];
    case "weightedClusters":
      return clusterSpecifier.value.clusters.map(({ name }) => name);
    case "clusterHeader":
    case "clusterSpecifierPlugin":
    case "inlineClusterSpecifierPlugin":
    case undefined:
      return [];
  }
}
