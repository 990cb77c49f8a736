// Hand-made resources and snapshots, small and valid, for tests of discovery.
import { createHash } from "node:crypto";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  type AdsTypeUrl,
  AUDIT_METADATA,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
} from "@hedgerow/proto";
import { Cluster_DiscoveryType, ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { ApiVersion, ConfigSourceSchema } from "@hedgerow/proto/envoy/config/core/v3/config_source";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import { RouterSchema } from "@hedgerow/proto/envoy/extensions/filters/http/router/v3/router";
import { HttpConnectionManagerSchema } from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { InspectionConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import type { Origin, ProxySnapshot, Resource } from "../src/snapshot/snapshot.ts";

const ads = create(ConfigSourceSchema, {
  configSourceSpecifier: { case: "ads", value: {} },
  resourceApiVersion: ApiVersion.V3,
  // As in production: Envoy waits for ever for what it is owed.
  initialFetchTimeout: {},
});
const origins: readonly Origin[] = [
  { object: { kind: "Service", namespace: "default", name: "digits" }, path: ["spec", "ports", 0] },
];

function resource<S extends DescMessage>(
  typeUrl: AdsTypeUrl,
  name: string,
  schema: S,
  init: MessageInitShape<S>,
  version?: string,
): Resource {
  const any = anyPack(schema, create(schema, init));
  const hash = version ?? createHash("sha256").update(any.value).digest("hex").slice(0, 12);
  const encoded = toBinary(ResourceSchema, create(ResourceSchema, { name, version: hash, resource: any }));
  return { typeUrl, name, version: hash, encoded, origins };
}

/** An EDS cluster; the connect timeout tells contents apart. */
export function cluster(name: string, connectTimeoutMs = 1000, version?: string): Resource {
  const init = {
    name,
    clusterDiscoveryType: { case: "type" as const, value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    connectTimeout: {
      seconds: BigInt(Math.floor(connectTimeoutMs / 1000)),
      nanos: (connectTimeoutMs % 1000) * 1_000_000,
    },
  };
  return resource(CLUSTER_TYPE_URL, name, ClusterSchema, init, version);
}

/** One endpoint. Envoy refuses an `address` that is no IP address. */
export function assignment(name: string, port: number, version?: string, address = "127.0.0.1"): Resource {
  const socketAddress = {
    address: {
      case: "socketAddress" as const,
      value: { address, portSpecifier: { case: "portValue" as const, value: port } },
    },
  };
  const endpoint = { hostIdentifier: { case: "endpoint" as const, value: { address: socketAddress } } };
  const init = { clusterName: name, endpoints: [{ lbEndpoints: [endpoint] }] };
  return resource(ENDPOINT_TYPE_URL, name, ClusterLoadAssignmentSchema, init, version);
}

/** What the agent of a node inspects; the region tells contents apart. */
export function inspection(nodeId: string, region: string, version?: string): Resource {
  return resource(INSPECTION_CONFIG_TYPE_URL, nodeId, InspectionConfigSchema, { region }, version);
}

/** Every path to clusters by weight. A recorded one, called inbound/NODE-ID/PORT, needs the inspection of its node. */
export function routes(
  name: string,
  weights: Readonly<Record<string, number>>,
  version?: string,
  isRecorded = false,
): Resource {
  const clusters = Object.entries(weights).map(([to, weight]) => ({ name: to, weight }));
  const init = {
    name,
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          {
            match: { pathSpecifier: { case: "prefix" as const, value: "/" } },
            ...(isRecorded ? { metadata: { filterMetadata: { [AUDIT_METADATA]: { policy: "n/p" } } } } : {}),
            action: {
              case: "route" as const,
              value: { clusterSpecifier: { case: "weightedClusters" as const, value: { clusters } } },
            },
          },
        ],
      },
    ],
  };
  return resource(ROUTE_TYPE_URL, name, RouteConfigurationSchema, init, version);
}

/** An HTTP listener on 127.0.0.1 that takes its routes by RDS. */
export function listener(name: string, port: number, routeName: string, version?: string): Resource {
  const connections = create(HttpConnectionManagerSchema, {
    statPrefix: "test",
    routeSpecifier: { case: "rds", value: { configSource: ads, routeConfigName: routeName } },
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        configType: { case: "typedConfig", value: anyPack(RouterSchema, create(RouterSchema)) },
      },
    ],
  });
  const filter = {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig" as const, value: anyPack(HttpConnectionManagerSchema, connections) },
  };
  const init = {
    name,
    address: {
      address: {
        case: "socketAddress" as const,
        value: { address: "127.0.0.1", portSpecifier: { case: "portValue" as const, value: port } },
      },
    },
    filterChains: [{ filters: [filter] }],
  };
  return resource(LISTENER_TYPE_URL, name, ListenerSchema, init, version);
}

export function proxySnapshot(nodeId: string, resources: readonly Resource[]): ProxySnapshot {
  const byType = new Map<AdsTypeUrl, Map<string, Resource>>();
  for (const each of resources) {
    const ofType = byType.get(each.typeUrl) ?? new Map<string, Resource>();
    byType.set(each.typeUrl, ofType.set(each.name, each));
  }
  return { nodeId, resources: byType };
}
