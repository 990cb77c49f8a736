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
import { directName, outboundName } from "./names.ts";
import { PLAIN_TEXT } from "./plain-text.ts";
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

/**
 * The endpoints of one Service port, over mTLS, in the protocol that the caller speaks. Those outside the mesh are marked in
 * the assignment and called in plain text, where that is allowed at all; what has no mark is never called so.
 */
export function outboundCluster(trustDomain: string, service: ServicePort): Cluster {
  return create(ClusterSchema, {
    name: outboundName(service.id),
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
    ...(service.virtual?.plainEndpoints === true ? { transportSocketMatches: [PLAIN_TEXT] } : {}),
    transportSocket: outboundTls(trustDomain, service),
  });
}

/** The endpoint of a headless service that the application connected to, over mTLS. */
export function directCluster(trustDomain: string, service: ServicePort): Cluster {
  return create(ClusterSchema, {
    name: directName(service.id),
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: ms(2_000),
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    circuitBreakers: CIRCUIT_BREAKERS,
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: OPTIONS },
    transportSocket: outboundTls(trustDomain, service),
  });
}
