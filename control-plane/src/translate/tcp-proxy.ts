import { create, createRegistry, type JsonObject, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import type { FilterSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import { StdoutAccessLogSchema } from "@hedgerow/proto/envoy/extensions/access_loggers/stream/v3/stream";
import { type TcpProxy, TcpProxySchema } from "@hedgerow/proto/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy";
import { TypedStructSchema } from "@hedgerow/proto/xds/type/v3/typed_struct";
import { connectionLog, type Direction } from "./access-log.ts";
import { ms, TCP_IDLE_MS } from "./limits.ts";

export interface TcpProxyInput {
  readonly direction: Direction;
  /** Name in statistics; may repeat between listeners. */
  readonly statPrefix: string;
  readonly cluster: string;
}

type NetworkFilter = MessageInitShape<typeof FilterSchema>;

/** Passes bytes on as they are. A connection is judged when it begins, and not again. */
export function tcpProxy(input: TcpProxyInput): NetworkFilter {
  return filter(anyPack(TcpProxySchema, message(input)));
}

/**
 * The same behind mTLS: connects to the application only after the handshake. A caller that is refused must not cost the
 * application a connection.
 */
export function tcpProxyAfterHandshake(input: TcpProxyInput): NetworkFilter {
  // NOTE: a TypedStruct, because the API tree that our types come from is older than these two fields (Envoy 1.37).
  const value: JsonObject = {
    ...asObject(toJson(TcpProxySchema, message(input), { registry: REGISTRY, useProtoFieldName: true })),
    upstream_connect_mode: "ON_DOWNSTREAM_TLS_HANDSHAKE",
    max_early_data_bytes: 0,
  };
  const typeUrl = `type.googleapis.com/${TcpProxySchema.typeName}`;
  return filter(anyPack(TypedStructSchema, create(TypedStructSchema, { typeUrl, value })));
}

function message({ direction, statPrefix, cluster }: TcpProxyInput): TcpProxy {
  return create(TcpProxySchema, {
    statPrefix,
    clusterSpecifier: { case: "cluster", value: cluster },
    idleTimeout: ms(TCP_IDLE_MS),
    // The next endpoint, where one does not answer: nothing has been sent yet.
    maxConnectAttempts: direction === "outbound" ? 3 : 1,
    accessLog: LOGS[direction],
  });
}

function filter(typedConfig: Any): NetworkFilter {
  return { name: "envoy.filters.network.tcp_proxy", configType: { case: "typedConfig", value: typedConfig } };
}

function asObject(json: ReturnType<typeof toJson>): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw new Error("a message is an object");
  return json;
}

const REGISTRY = createRegistry(StdoutAccessLogSchema);
const LOGS = { inbound: [connectionLog("inbound")], outbound: [connectionLog("outbound")] };
