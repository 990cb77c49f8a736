// Where captured callers meet a service: at its own addresses, which iptables leads to the sidecar.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { TrafficDirection } from "@hedgerow/proto/envoy/config/core/v3/base";
import { type Listener, ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import type {
  FilterChainSchema,
  ListenerFilterSchema,
} from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import type { PortProtocol } from "../cluster/state.ts";
import type { Endpoint, ServicePort, ServicePortId, VirtualPort } from "../model/model.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { BUFFER_BYTES, DETECTION_MS, ms } from "./limits.ts";
import { HTTP_INSPECTOR, PLAIN_HTTP } from "./listener-filters.ts";
import { socketAddress } from "./listener-inbound.ts";
import { BLACKHOLE, directName, endpointListenerName, outboundName, PASSTHROUGH } from "./names.ts";
import { tcpProxy } from "./tcp-proxy.ts";

type FilterChain = MessageInitShape<typeof FilterChainSchema>;

/** What a listener needs its sidecar to have: the RouteConfiguration or Cluster of its service, or those of `/direct`. */
export type Reach = "route" | "cluster" | "direct-route" | "direct-cluster";

/** The best first. */
export const CLAIMS = ["cluster-ip", "pod", "written"] as const;
export type Claim = (typeof CLAIMS)[number];

/** A Listener, and the sockets that no other may listen on in one sidecar. */
export interface VirtualListener {
  readonly addresses: readonly string[];
  readonly port: number;
  /** Who is known to have the addresses: the API server gives cluster IPs, a pod has its own; the rest is merely written down. */
  readonly claim: Claim;
  readonly reaches: readonly Reach[];
  /** With as many of its addresses as are free; never none. */
  readonly listener: (addresses: readonly string[]) => Listener;
}

export type VirtualServicePort = ServicePort & { readonly virtual: VirtualPort };

/**
 * The listeners of a service port: one at its cluster IPs; without those (a headless Service) one at each ready endpoint, so
 * that an endpoint that comes or goes ends no connection to another.
 */
export function virtualListeners(service: VirtualServicePort): readonly VirtualListener[] {
  const { id, virtual, endpoints } = service;
  const name = outboundName(id);
  if (virtual.clusterIps.length === 0) return endpoints.map((endpoint) => endpointListener(service, endpoint));
  const { chains, reaches } = chainsFor(virtual.protocol, { statPrefix: name, http: "route", tcp: "cluster", id });
  const listener = (addresses: readonly string[]) => virtualListener(name, addresses, virtual.port, chains);
  return [{ addresses: virtual.clusterIps, port: virtual.port, claim: "cluster-ip", reaches, listener }];
}

function endpointListener(
  { id, virtual, routes }: VirtualServicePort,
  { nodeId, address, port }: Endpoint,
): VirtualListener {
  const outside = virtual.plainEndpoints ? PASSTHROUGH : BLACKHOLE;
  // A route says where requests go, whichever endpoint they were meant for. Without one, those to an endpoint outside the
  // mesh are not even read.
  const protocol = nodeId === undefined && routes === undefined ? "tcp" : virtual.protocol;
  const { chains, reaches } = chainsFor(protocol, {
    statPrefix: outboundName(id),
    http: routes === undefined ? "direct-route" : "route",
    tcp: nodeId === undefined ? { cluster: outside } : "direct-cluster",
    id,
  });
  const listener = () => virtualListener(endpointListenerName(id, address), [address], port, chains);
  return { addresses: [address], port, claim: nodeId === undefined ? "written" : "pod", reaches, listener };
}

/** As fields of a Listener. */
interface Chains {
  readonly filterChains: FilterChain[];
  readonly listenerFilters?: MessageInitShape<typeof ListenerFilterSchema>[];
  readonly listenerFiltersTimeout?: Duration;
  readonly continueOnListenerFiltersTimeout?: boolean;
}

function virtualListener(
  name: string,
  [address = "", ...others]: readonly string[],
  port: number,
  chains: Chains,
): Listener {
  return create(ListenerSchema, {
    name,
    address: socketAddress(address, port),
    additionalAddresses: others.map((other) => ({ address: socketAddress(other, port) })),
    // Connections come from `outbound-capture`, by their original destination.
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
    perConnectionBufferLimitBytes: BUFFER_BYTES,
    ...chains,
  });
}

interface Targets {
  readonly id: ServicePortId;
  readonly statPrefix: string;
  readonly http: "route" | "direct-route";
  readonly tcp: "cluster" | "direct-cluster" | { readonly cluster: string };
}

function chainsFor(
  protocol: PortProtocol,
  { id, statPrefix, http, tcp }: Targets,
): { readonly chains: Chains; readonly reaches: readonly Reach[] } {
  const routeConfigName = http === "route" ? outboundName(id) : directName(id);
  const httpChain = (match: readonly string[] = []) => ({
    name: "http",
    ...(match.length > 0 ? { filterChainMatch: { applicationProtocols: [...match] } } : {}),
    filters: [httpConnectionManager({ direction: "outbound", statPrefix, routeConfigName })],
  });
  const cluster = typeof tcp === "object" ? tcp.cluster : tcp === "cluster" ? outboundName(id) : directName(id);
  const tcpChain = (): FilterChain => ({
    name: "tcp",
    filters: [tcpProxy({ direction: "outbound", statPrefix, cluster })],
  });
  const tcpReaches = typeof tcp === "object" ? [] : [tcp];
  switch (protocol) {
    case "http":
      return { chains: { filterChains: [httpChain()] }, reaches: [http] };
    case "tcp":
      return { chains: { filterChains: [tcpChain()] }, reaches: tcpReaches };
    case "auto":
      return {
        chains: {
          listenerFilters: [HTTP_INSPECTOR],
          listenerFiltersTimeout: ms(DETECTION_MS),
          // A caller that waits for the server to speak first.
          continueOnListenerFiltersTimeout: true,
          filterChains: [httpChain(PLAIN_HTTP), tcpChain()],
        },
        reaches: [http, ...tcpReaches],
      };
  }
}
