import { INSPECT_CLUSTER, OUTPUT_CLUSTER } from "@hedgerow/proto";

/** What an Envoy is told before it can ask the relay. */
export interface BootstrapInput {
  /** NAMESPACE/NAME: node id and node cluster. */
  readonly nodeId: string;
  /** Absolute path of the Unix socket that serves ADS and SDS. */
  readonly agentSocket: string;
  /** Absolute path of the Unix socket of Envoy's admin interface: whoever opens it can stop Envoy. */
  readonly adminSocket: string;
  /** Absolute path of the Unix socket where the agent inspects requests. */
  readonly inspectSocket: string;
}

/** A value that JSON.stringify writes as it is. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json;
}

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
      clusters: [
        agentCluster("ads", input.agentSocket, HTTP2),
        agentCluster("sds", input.agentSocket, HTTP2),
        { ...agentCluster(INSPECT_CLUSTER, input.inspectSocket, INSPECT_HTTP), circuit_breakers: AGENT_LIMITS },
        // Not those of ADS, whose messages would wait behind answers.
        { ...agentCluster(OUTPUT_CLUSTER, input.agentSocket, OUTPUT_HTTP), circuit_breakers: AGENT_LIMITS },
      ],
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

const HTTP2: JsonObject = { explicit_http_config: { http2_protocol_options: {} } };
/** An agent that hangs would keep an answer waiting that it has not read: its streams end after 2 s, and answers go on without it. */
const OUTPUT_HTTP: JsonObject = {
  explicit_http_config: {
    http2_protocol_options: {
      // Also what Envoy keeps of an answer that the agent has not read: then it reads no more from the application.
      initial_stream_window_size: 262_144,
      initial_connection_window_size: 1_048_576,
      connection_keepalive: { interval: "1s", timeout: "1s" },
    },
  },
};
const INSPECT_HTTP: JsonObject = {
  explicit_http_config: { http_protocol_options: {} },
  // The agent closes no idle connection: a request that is on its way to one would be refused.
  common_http_protocol_options: { idle_timeout: "60s" },
};
/** A request that waits for the agent has a connection of its own. Whether the agent can take another is for the agent to say. */
const AGENT_LIMITS: JsonObject = {
  thresholds: [
    {
      max_connections: MAX_DOWNSTREAM_CONNECTIONS,
      max_pending_requests: MAX_DOWNSTREAM_CONNECTIONS,
      max_requests: MAX_DOWNSTREAM_CONNECTIONS,
    },
  ],
};

function agentCluster(name: string, path: string, protocol: JsonObject): JsonObject {
  return {
    name,
    type: "STATIC",
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        ...protocol,
      },
    },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path } } } }] }],
    },
  };
}
