// The filter chains of one captured port: one for each way in which a caller may speak.
//
// Envoy chooses by port, then by server name, then by transport, then by ALPN, and does not go back: a connection that finds
// its port and then no chain falls to the listener's default chain, which in permissive mode leads past every policy. So where
// there is a default chain, each port has a chain for everything that may come, if only to close it.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { FilterChainSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import type { MtlsMode } from "../cluster/state.ts";
import type { InboundPort } from "../model/model.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import { type TcpCallers, tcpCallers } from "./callers.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { HANDSHAKE_MS, ms } from "./limits.ts";
import { PLAIN_HTTP } from "./listener-filters.ts";
import { inboundName, inboundRouteName, MESH_SERVER_NAMES } from "./names.ts";
import { tcpProxy, tcpProxyAfterHandshake } from "./tcp-proxy.ts";
import { HTTP_ALPN, inboundTcpTls, inboundTls } from "./tls.ts";

type FilterChain = MessageInitShape<typeof FilterChainSchema>;

export interface CapturedPort {
  readonly trustDomain: string;
  readonly nodeId: NodeId;
  readonly mtls: MtlsMode;
  readonly inbound: InboundPort;
}

export function inboundChains(captured: CapturedPort): readonly FilterChain[] {
  const callers = tcpCallers(captured.inbound, captured.trustDomain);
  return [...meshChains(captured, callers), ...(captured.mtls === "permissive" ? plainChains(captured, callers) : [])];
}

/** mTLS of the mesh, told by its server name; what it carries is told by its ALPN. */
function meshChains(captured: CapturedPort, callers: TcpCallers): readonly FilterChain[] {
  const { trustDomain, mtls, inbound } = captured;
  const chains: FilterChain[] = [];
  const match = { ...portOf(inbound), serverNames: [MESH_SERVER_NAMES], transportProtocol: "tls" };
  if (inbound.protocol !== "tcp")
    chains.push({
      name: `${inbound.port} mesh http`,
      filterChainMatch: { ...match, applicationProtocols: [...HTTP_ALPN] },
      transportSocket: inboundTls(trustDomain),
      transportSocketConnectTimeout: ms(HANDSHAKE_MS),
      filters: [http(captured)],
    });
  const name = `${inbound.port} mesh tcp`;
  // Refused in the handshake: a filter would judge with the caller's first byte, after a server that speaks first has spoken.
  if (carriesTcp(inbound) && callers.mesh.length > 0)
    chains.push({
      name,
      filterChainMatch: match,
      transportSocket: inboundTcpTls(callers.mesh),
      transportSocketConnectTimeout: ms(HANDSHAKE_MS),
      filters: [tcpProxyAfterHandshake(toApplication(inbound))],
    });
  else if (mtls === "permissive") chains.push({ name, filterChainMatch: match, filters: [] });
  return chains;
}

/** Callers without an identity: plain text, and TLS that belongs to the application. */
function plainChains(captured: CapturedPort, callers: TcpCallers): readonly FilterChain[] {
  const { inbound } = captured;
  const chains: FilterChain[] = [];
  const plain = { ...portOf(inbound), transportProtocol: "raw_buffer" };
  const tcp = callers.plain ? [tcpProxy(toApplication(inbound))] : [];
  if (inbound.protocol === "auto")
    chains.push({
      name: `${inbound.port} plain http`,
      filterChainMatch: { ...plain, applicationProtocols: [...PLAIN_HTTP] },
      filters: [http(captured)],
    });
  chains.push({
    name: `${inbound.port} plain`,
    filterChainMatch: plain,
    filters: carriesTcp(inbound) ? tcp : [http(captured)],
  });
  chains.push({
    name: `${inbound.port} tls`,
    filterChainMatch: { ...portOf(inbound), transportProtocol: "tls" },
    filters: tcp,
  });
  return chains;
}

function carriesTcp({ protocol }: InboundPort): boolean {
  return protocol === "tcp" || protocol === "auto";
}

function portOf({ port }: InboundPort) {
  return { destinationPort: port };
}

function http({ nodeId, inbound: { port } }: CapturedPort) {
  return httpConnectionManager({
    direction: "inbound",
    port,
    statPrefix: inboundName(port),
    routeConfigName: inboundRouteName(nodeId, port),
  });
}

function toApplication({ port }: InboundPort) {
  return { direction: "inbound", statPrefix: inboundName(port), cluster: inboundName(port) } as const;
}
