/** What an Envoy is told before it can ask the relay. */
export interface BootstrapInput {
  /** NAMESPACE/NAME: node id and node cluster. */
  readonly nodeId: string;
  /** Absolute path of the Unix socket that serves ADS and SDS. */
  readonly agentSocket: string;
  /** Absolute path of the Unix socket of Envoy's admin interface: whoever opens it can stop Envoy. */
  readonly adminSocket: string;
}

/** A value that JSON.stringify writes as it is. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** More connections than this at once are refused, so that descriptors and memory stay bounded. */
const MAX_DOWNSTREAM_CONNECTIONS = 50_000;

/**
 * Envoy's bootstrap, envoy.config.bootstrap.v3.Bootstrap as JSON: the same input gives the same text, which is how a
 * restarted agent recognises an Envoy that it may adopt. Everything else comes over ADS and SDS.
 */
export function buildBootstrap(input: BootstrapInput): string {
  const discovery: Json = { resource_api_version: "V3", ads: {}, initial_fetch_timeout: "0s" };
  const bootstrap: Json = {
    node: { id: input.nodeId, cluster: input.nodeId },
    admin: { address: { pipe: { path: input.adminSocket, mode: 0o600 } } },
    dynamic_resources: {
      ads_config: {
        api_type: "DELTA_GRPC",
        transport_api_version: "V3",
        set_node_on_first_message_only: true,
        grpc_services: [
          {
            envoy_grpc: {
              cluster_name: "ads",
              // The agent is on this machine: after its restart Envoy should be back before anyone asks.
              retry_policy: { retry_back_off: { base_interval: "0.1s", max_interval: "1s" } },
            },
          },
        ],
      },
      // An Envoy that does not know its configuration waits for it, however long that takes: it must not call itself live.
      cds_config: discovery,
      lds_config: discovery,
    },
    static_resources: {
      clusters: [agentCluster("ads", input.agentSocket), agentCluster("sds", input.agentSocket)],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: {
            "@type":
              "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
            max_active_downstream_connections: MAX_DOWNSTREAM_CONNECTIONS,
          },
        },
      ],
    },
  };
  return `${JSON.stringify(bootstrap, undefined, 2)}\n`;
}

function agentCluster(name: string, path: string): Json {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}
