import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type AddressSchema, SocketAddress_Protocol } from "@hedgerow/proto/envoy/config/core/v3/address";
import { TrafficDirection } from "@hedgerow/proto/envoy/config/core/v3/base";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import type { InboundPort, MeshWorkload } from "../model/model.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { BUFFER_BYTES, HANDSHAKE_MS, ms } from "./limits.ts";
import { inboundName, inboundRouteName } from "./names.ts";
import { REFUSED_CONNECTIONS } from "./outcome-log.ts";
import { inboundTls } from "./tls.ts";

/** Where the mesh reaches a workload: mTLS or nothing. */
export function inboundListener(
  trustDomain: string,
  { nodeId, address }: MeshWorkload,
  { port }: InboundPort,
): Listener {
  const name = inboundName(port);
  return create(ListenerSchema, {
    name,
    address: socketAddress(address, port),
    trafficDirection: TrafficDirection.INBOUND,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    accessLog: [...REFUSED_CONNECTIONS],
    filterChains: [
      {
        transportSocket: inboundTls(trustDomain),
        transportSocketConnectTimeout: ms(HANDSHAKE_MS),
        filters: [
          httpConnectionManager({
            direction: "inbound",
            port,
            statPrefix: name,
            routeConfigName: inboundRouteName(nodeId, port),
          }),
        ],
      },
    ],
  });
}

export function socketAddress(address: string, portValue: number): MessageInitShape<typeof AddressSchema> {
  return {
    address: {
      case: "socketAddress",
      value: { protocol: SocketAddress_Protocol.TCP, address, portSpecifier: { case: "portValue", value: portValue } },
    },
  };
}
