// The two listeners that iptables leads a pod's connections to.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { TrafficDirection } from "@hedgerow/proto/envoy/config/core/v3/base";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import type { FilterChainSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import type { Capture, MeshWorkload } from "../model/model.ts";
import { inboundChains } from "./inbound-chains.ts";
import { BUFFER_BYTES, DETECTION_MS, ms } from "./limits.ts";
import { HTTP_INSPECTOR, ORIGINAL_DST, TLS_INSPECTOR } from "./listener-filters.ts";
import { socketAddress } from "./listener-inbound.ts";
import { BLACKHOLE, INBOUND_CAPTURE, INBOUND_PASSTHROUGH, OUTBOUND_CAPTURE, PASSTHROUGH } from "./names.ts";
import { REFUSED_CONNECTIONS } from "./outcome-log.ts";
import { tcpProxy } from "./tcp-proxy.ts";

/** Fixed between the sidecar's image, which captures, and the control plane. */
const OUTBOUND_CAPTURE_PORT = 15001;
export const INBOUND_CAPTURE_PORT = 15006;

type FilterChain = MessageInitShape<typeof FilterChainSchema>;

/**
 * Every connection that leaves the pod: handed to the listener of its destination, or else passed on as it is, or refused.
 */
export function outboundCaptureListener({ outbound }: Pick<Capture, "outbound">): Listener {
  const rest = outbound === "passthrough" ? PASSTHROUGH : BLACKHOLE;
  return create(ListenerSchema, {
    name: OUTBOUND_CAPTURE,
    address: socketAddress("127.0.0.1", OUTBOUND_CAPTURE_PORT),
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    useOriginalDst: true,
    filterChains: [toItself("outbound", OUTBOUND_CAPTURE_PORT)],
    defaultFilterChain: {
      name: "elsewhere",
      filters: [tcpProxy({ direction: "outbound", statPrefix: rest, cluster: rest })],
    },
  });
}

/**
 * Every connection that comes to the pod. Only the chains differ between modes and policies: Envoy replaces those in place,
 * and connections of the others stay.
 */
export function inboundCaptureListener(
  trustDomain: string,
  { nodeId, inbound: ports }: MeshWorkload,
  { mtls }: Capture,
): Listener {
  const chains = ports.flatMap((inbound) => inboundChains({ trustDomain, nodeId, mtls, inbound }));
  const passOn: FilterChain = {
    name: "elsewhere",
    filters: [tcpProxy({ direction: "inbound", statPrefix: INBOUND_PASSTHROUGH, cluster: INBOUND_PASSTHROUGH })],
  };
  return create(ListenerSchema, {
    name: INBOUND_CAPTURE,
    address: socketAddress("0.0.0.0", INBOUND_CAPTURE_PORT),
    trafficDirection: TrafficDirection.INBOUND,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    listenerFilters: [ORIGINAL_DST, TLS_INSPECTOR, HTTP_INSPECTOR],
    listenerFiltersTimeout: ms(DETECTION_MS),
    // Silent callers wait for a server that speaks first; in strict mode no chain takes them.
    continueOnListenerFiltersTimeout: true,
    filterChains: [toItself("inbound", INBOUND_CAPTURE_PORT), ...chains],
    ...(mtls === "permissive" ? { defaultFilterChain: passOn } : {}),
    accessLog: [...REFUSED_CONNECTIONS],
  });
}

/** Passing on a connection that was made to the listener itself would meet it again, for ever. */
function toItself(direction: "inbound" | "outbound", destinationPort: number): FilterChain {
  return {
    name: "itself",
    filterChainMatch: { destinationPort },
    filters: [tcpProxy({ direction, statPrefix: BLACKHOLE, cluster: BLACKHOLE })],
  };
}
