// A small configuration that uses every type: two listeners (plain, and mTLS with secrets of the agent), a route, a cluster.
import { create } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSource,
  ConfigSourceSchema,
} from "@hedgerow/proto/envoy/config/core/v3/config_source";
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { type RouteConfiguration, RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import { RouterSchema } from "@hedgerow/proto/envoy/extensions/filters/http/router/v3/router";
import { HttpConnectionManagerSchema } from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { DownstreamTlsContextSchema } from "@hedgerow/proto/envoy/extensions/transport_sockets/tls/v3/tls";
import { type WorkloadConfig, WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { ScriptedControlPlane } from "./scripted-control-plane.ts";

const ads: ConfigSource = create(ConfigSourceSchema, {
  configSourceSpecifier: { case: "ads", value: {} },
  resourceApiVersion: ApiVersion.V3,
  initialFetchTimeout: durationFromMs(0),
});

function sds(apiType: ApiConfigSource_ApiType): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: {
      case: "apiConfigSource",
      value: {
        apiType,
        transportApiVersion: ApiVersion.V3,
        grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: "sds" } } }],
      },
    },
    resourceApiVersion: ApiVersion.V3,
    initialFetchTimeout: durationFromMs(0),
  });
}

/** How a listener gets its secrets: not at all, or by this kind of SDS. */
export type Secrets = "none" | "state_of_the_world" | "delta";

export function listener(name: string, port: number, secrets: Secrets): Listener {
  const manager = create(HttpConnectionManagerSchema, {
    statPrefix: "test",
    routeSpecifier: { case: "rds", value: { configSource: ads, routeConfigName: "routes" } },
    httpFilters: [
      {
        name: "envoy.filters.http.router",
        configType: { case: "typedConfig", value: anyPack(RouterSchema, create(RouterSchema, {})) },
      },
    ],
  });
  const sdsConfig = sds(secrets === "delta" ? ApiConfigSource_ApiType.DELTA_GRPC : ApiConfigSource_ApiType.GRPC);
  const tls = create(DownstreamTlsContextSchema, {
    commonTlsContext: {
      tlsCertificateSdsSecretConfigs: [{ name: "svid", sdsConfig }],
      validationContextType: { case: "validationContextSdsSecretConfig", value: { name: "trust-bundle", sdsConfig } },
    },
  });
  return create(ListenerSchema, {
    name,
    address: {
      address: {
        case: "socketAddress",
        value: { address: "127.0.0.1", portSpecifier: { case: "portValue", value: port } },
      },
    },
    filterChains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            configType: { case: "typedConfig", value: anyPack(HttpConnectionManagerSchema, manager) },
          },
        ],
        ...(secrets === "none"
          ? {}
          : {
              transportSocket: {
                name: "envoy.transport_sockets.tls",
                configType: { case: "typedConfig", value: anyPack(DownstreamTlsContextSchema, tls) },
              },
            }),
      },
    ],
  });
}

/** `direct` answers with this text; without it, requests go to the cluster `app`. */
export function routes(direct?: string): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name: "routes",
    virtualHosts: [
      {
        name: "all",
        domains: ["*"],
        routes: [
          {
            match: { pathSpecifier: { case: "prefix", value: "/" } },
            action:
              direct === undefined
                ? { case: "route", value: { clusterSpecifier: { case: "cluster", value: "app" } } }
                : {
                    case: "directResponse",
                    value: { status: 200, body: { specifier: { case: "inlineString", value: direct } } },
                  },
          },
        ],
      },
    ],
  });
}

export function cluster(connectTimeoutMs = 1_000): Cluster {
  return create(ClusterSchema, {
    name: "app",
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
    connectTimeout: durationFromMs(connectTimeoutMs),
  });
}

function assignment(port: number): ClusterLoadAssignment {
  return create(ClusterLoadAssignmentSchema, {
    clusterName: "app",
    endpoints: [
      {
        lbEndpoints: [
          {
            hostIdentifier: {
              case: "endpoint",
              value: {
                address: {
                  address: {
                    case: "socketAddress",
                    value: { address: "127.0.0.1", portSpecifier: { case: "portValue", value: port } },
                  },
                },
              },
            },
          },
        ],
      },
    ],
  });
}

export interface Ports {
  readonly app: number;
  readonly plain: number;
  readonly tls: number;
}

function workloadConfig({ app, plain, tls }: Ports): WorkloadConfig {
  return create(WorkloadConfigSchema, {
    inbound: [{ port: tls, appPort: app, listener: "inbound/tls" }],
    upstreams: [{ service: "shop/app", localPort: plain, listener: "outbound/plain" }],
    drain: durationFromMs(1_000),
  });
}

/** Gives the control plane the whole configuration for a workload. */
export function serveAll(controlPlane: ScriptedControlPlane, nodeId: string, ports: Ports): void {
  controlPlane.set(ClusterSchema, { app: ["1", cluster()] });
  controlPlane.set(ClusterLoadAssignmentSchema, { app: ["1", assignment(ports.app)] });
  controlPlane.set(ListenerSchema, {
    "outbound/plain": ["1", listener("outbound/plain", ports.plain, "none")],
    "inbound/tls": ["1", listener("inbound/tls", ports.tls, "state_of_the_world")],
    "inbound/delta": ["1", listener("inbound/delta", 0, "delta")],
  });
  controlPlane.set(RouteConfigurationSchema, { routes: ["1", routes()] });
  controlPlane.set(WorkloadConfigSchema, { [nodeId]: ["1", workloadConfig(ports)] });
}
