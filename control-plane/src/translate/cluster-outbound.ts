import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { CircuitBreakersSchema } from "@hedgerow/proto/envoy/config/cluster/v3/circuit_breaker";
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { HttpProtocolOptionsSchema } from "@hedgerow/proto/envoy/extensions/upstreams/http/v3/http_protocol_options";
import type { ServicePort } from "../model/model.ts";
import { ADS_SOURCE } from "./config-source.ts";
import { BUFFER_BYTES, CALLER_CONNECTION_MS, HTTP2_OPTIONS, MAX_HEADERS, ms } from "./limits.ts";
import { outboundName } from "./names.ts";
import { outboundTls } from "./tls.ts";

/** Name of the extension that an HTTP cluster's options go under. */
export const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/**
 * Limits that must not be met before the server's own: the defaults (1,024 requests, 3 retries at a time) would turn a burst
 * into errors.
 */
export const CIRCUIT_BREAKERS: MessageInitShape<typeof CircuitBreakersSchema> = {
  thresholds: [{ maxConnections: 10_000, maxPendingRequests: 10_000, maxRequests: 10_000, maxRetries: 10_000 }],
};

const OPTIONS = anyPack(
  HttpProtocolOptionsSchema,
  create(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: { maxHeadersCount: MAX_HEADERS, maxConnectionDuration: ms(CALLER_CONNECTION_MS) },
    // HTTP/1.1 stays HTTP/1.1 and HTTP/2 stays HTTP/2 on every hop: trailers and streaming depend on it.
    upstreamProtocolOptions: {
      case: "useDownstreamProtocolConfig",
      value: { httpProtocolOptions: {}, http2ProtocolOptions: HTTP2_OPTIONS },
    },
  }),
);

/** The workloads behind one Service port, over mTLS, in the protocol that the caller speaks. */
export function outboundCluster(trustDomain: string, { id, spiffeIds }: ServicePort): Cluster {
  return create(ClusterSchema, {
    name: outboundName(id),
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ADS_SOURCE },
    connectTimeout: ms(2_000),
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    // Two slow hosts in a round robin would pin every first try to one of them.
    lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
    // No panic mode, and no closing of connections of a host that left: its requests finish.
    commonLbConfig: { healthyPanicThreshold: { value: 0 } },
    circuitBreakers: CIRCUIT_BREAKERS,
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: OPTIONS },
    transportSocket: outboundTls(trustDomain, spiffeIds),
  });
}
