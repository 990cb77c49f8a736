import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { type Cluster, Cluster_DiscoveryType, ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { HttpProtocolOptionsSchema } from "@hedgerow/proto/envoy/extensions/upstreams/http/v3/http_protocol_options";
import type { InboundPort } from "../model/model.ts";
import { CIRCUIT_BREAKERS, HTTP_OPTIONS } from "./cluster-outbound.ts";
import { APP_IDLE_MS, BUFFER_BYTES, HTTP2_OPTIONS, MAX_HEADERS, ms } from "./limits.ts";
import { socketAddress } from "./listener-inbound.ts";
import { inboundName } from "./names.ts";

/** The application, in plain text on the loopback address, in the protocol that the Workload says. */
export function inboundCluster({ port, appPort, protocol }: InboundPort): Cluster {
  const name = inboundName(port);
  const options = create(HttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: {
      maxHeadersCount: MAX_HEADERS,
      ...(protocol === "http1" ? { idleTimeout: ms(APP_IDLE_MS) } : {}),
    },
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: {
        protocolConfig:
          protocol === "http1"
            ? { case: "httpProtocolOptions", value: {} }
            : { case: "http2ProtocolOptions", value: HTTP2_OPTIONS },
      },
    },
  });
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    connectTimeout: ms(1_000),
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    circuitBreakers: CIRCUIT_BREAKERS,
    typedExtensionProtocolOptions: { [HTTP_OPTIONS]: anyPack(HttpProtocolOptionsSchema, options) },
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            { hostIdentifier: { case: "endpoint", value: { address: socketAddress("127.0.0.1", appPort) } } },
          ],
        },
      ],
    },
  });
}
