import { isMessage, type Message } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
} from "@hedgerow/proto";
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { type RouteConfiguration, RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import type { RouteAction } from "@hedgerow/proto/envoy/config/route/v3/route_components";
import { HttpConnectionManagerSchema } from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { UNRESOLVED_CLUSTER } from "../translate/names.ts";
import { decodeResource } from "./decode.ts";
import type { MeshSnapshot, NodeId, Resource } from "./snapshot.ts";

/** A resource that refers to one that its proxy does not get: Envoy would wait for it, or refuse requests. */
export interface Inconsistency {
  readonly nodeId: NodeId;
  readonly resource: { readonly typeUrl: AdsTypeUrl; readonly name: string };
  readonly missing: { readonly typeUrl: AdsTypeUrl; readonly name: string };
}

/**
 * Proves from the bytes that go out that every reference resolves within each proxy: assignments of clusters and clusters of
 * assignments, routes of listeners, clusters of routes, listeners that the agent waits for. Empty: fit to be published.
 */
export function checkConsistency(snapshot: MeshSnapshot): readonly Inconsistency[] {
  const references = new Map<Uint8Array, readonly Inconsistency["missing"][]>();
  const found: Inconsistency[] = [];
  for (const { nodeId, resources } of snapshot.values()) {
    for (const resource of [...resources.values()].flatMap((byName) => [...byName.values()])) {
      const { typeUrl, name, encoded } = resource;
      const needed = references.get(encoded) ?? referencesOf(resource);
      references.set(encoded, needed);
      for (const missing of needed)
        if (!resources.get(missing.typeUrl)?.has(missing.name))
          found.push({ nodeId, resource: { typeUrl, name }, missing });
    }
  }
  return found;
}

function referencesOf(resource: Resource): readonly Inconsistency["missing"][] {
  const message: Message = decodeResource(resource);
  if (isMessage(message, ClusterSchema)) return clusterReferences(message);
  if (isMessage(message, ClusterLoadAssignmentSchema))
    return [{ typeUrl: CLUSTER_TYPE_URL, name: message.clusterName }];
  if (isMessage(message, ListenerSchema)) return listenerReferences(message);
  if (isMessage(message, RouteConfigurationSchema)) return routeReferences(message);
  if (isMessage(message, WorkloadConfigSchema))
    return [...message.inbound, ...message.upstreams].map(({ listener }) => ({
      typeUrl: LISTENER_TYPE_URL,
      name: listener,
    }));
  return [];
}

function clusterReferences({ name, clusterDiscoveryType }: Cluster): readonly Inconsistency["missing"][] {
  const eds = clusterDiscoveryType.case === "type" && clusterDiscoveryType.value === Cluster_DiscoveryType.EDS;
  return eds ? [{ typeUrl: ENDPOINT_TYPE_URL, name }] : [];
}

function listenerReferences({ filterChains }: Listener): readonly Inconsistency["missing"][] {
  return filterChains.flatMap(({ filters }) =>
    filters.flatMap(({ configType }) => {
      const manager =
        configType.case === "typedConfig" ? anyUnpack(configType.value, HttpConnectionManagerSchema) : undefined;
      if (manager?.routeSpecifier.case !== "rds") return [];
      return [{ typeUrl: ROUTE_TYPE_URL, name: manager.routeSpecifier.value.routeConfigName }];
    }),
  );
}

function routeReferences({ virtualHosts }: RouteConfiguration): readonly Inconsistency["missing"][] {
  const names = virtualHosts.flatMap(({ routes }) =>
    routes.flatMap(({ action }) => (action.case === "route" ? clustersOf(action.value) : [])),
  );
  return [...new Set(names)]
    .filter((name) => name !== UNRESOLVED_CLUSTER)
    .map((name) => ({ typeUrl: CLUSTER_TYPE_URL, name }));
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
