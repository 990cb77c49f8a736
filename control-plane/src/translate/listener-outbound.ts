import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "@hedgerow/proto/envoy/config/core/v3/base";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import type { ServicePortId } from "../model/model.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { BUFFER_BYTES } from "./limits.ts";
import { socketAddress } from "./listener-inbound.ts";
import { outboundName } from "./names.ts";

/** Where an application calls a service, in plain text, from the same machine only. */
export function outboundListener(service: ServicePortId, localPort: number): Listener {
  const name = outboundName(service);
  return create(ListenerSchema, {
    name,
    address: socketAddress("127.0.0.1", localPort),
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    filterChains: [
      { filters: [httpConnectionManager({ direction: "outbound", statPrefix: name, routeConfigName: name })] },
    ],
  });
}
