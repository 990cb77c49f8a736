// Clusters that only captured traffic has.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import type { BindConfigSchema } from "@hedgerow/proto/envoy/config/core/v3/address";
import { HttpProtocolOptionsSchema } from "@hedgerow/proto/envoy/extensions/upstreams/http/v3/http_protocol_options";
import type { InboundPort } from "../model/model.ts";
import { CIRCUIT_BREAKERS, HTTP_OPTIONS } from "./cluster-outbound.ts";
import { APP_IDLE_MS, BUFFER_BYTES, HTTP2_OPTIONS, MAX_HEADERS, ms } from "./limits.ts";
import { socketAddress } from "./listener-inbound.ts";
import { BLACKHOLE, INBOUND_PASSTHROUGH, inboundName, PASSTHROUGH } from "./names.ts";

/** iptables leaves alone what comes from here, or the sidecar would capture its own connections to the application. */
const FROM_SIDECAR: MessageInitShape<typeof BindConfigSchema> = {
  sourceAddress: { address: "127.0.0.6", portSpecifier: { case: "portValue", value: 0 } },
};

const OPTIONS = anyPack(
  HttpProtocolOptionsSchema,
  create(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: { maxHeadersCount: MAX_HEADERS, idleTimeout: ms(APP_IDLE_MS) },
    // What the application speaks is written nowhere: its callers know, as they did without a sidecar.
    upstreamProtocolOptions: {
      case: "useDownstreamProtocolConfig",
      value: { httpProtocolOptions: {}, http2ProtocolOptions: HTTP2_OPTIONS },
    },
  }),
);

/** The application at the pod's own address, where it listens whether it binds that or every address. */
export function capturedInboundCluster(address: string, { port, appPort }: InboundPort): Cluster {
  const name = inboundName(port);
  const endpoint = {
    hostIdentifier: { case: "endpoint", value: { address: socketAddress(address, appPort) } },
  } as const;
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: ms(1_000),
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    circuitBreakers: CIRCUIT_BREAKERS,
    upstreamBindConfig: FROM_SIDECAR,
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: OPTIONS },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [endpoint] }] },
  });
}

/** Where a captured connection was going, in plain text. */
export const PASSTHROUGH_CLUSTER: Cluster = create(ClusterSchema, {
  name: PASSTHROUGH,
  ...originalDestination(),
  // As long as some distant host may take; the application has its own limit.
  connectTimeout: ms(10_000),
});

/** Ports of the pod that no Service leads to. */
export const INBOUND_PASSTHROUGH_CLUSTER: Cluster = create(ClusterSchema, {
  name: INBOUND_PASSTHROUGH,
  ...originalDestination(),
  connectTimeout: ms(1_000),
  upstreamBindConfig: FROM_SIDECAR,
});

/** Ends every connection. */
export const BLACKHOLE_CLUSTER: Cluster = create(ClusterSchema, {
  name: BLACKHOLE,
  clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
  connectTimeout: ms(1_000),
  loadAssignment: { clusterName: BLACKHOLE },
});

function originalDestination() {
  return {
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    circuitBreakers: CIRCUIT_BREAKERS,
  } as const;
}
