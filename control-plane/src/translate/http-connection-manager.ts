import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { sizeDelimitedEncode, WireType } from "@bufbuild/protobuf/wire";
import { type Any, anyPack, UInt64ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Http2ProtocolOptions, Http2ProtocolOptionsSchema } from "@hedgerow/proto/envoy/config/core/v3/protocol";
import type { FilterSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener_components";
import { RBACSchema } from "@hedgerow/proto/envoy/extensions/filters/http/rbac/v3/rbac";
import { RouterSchema } from "@hedgerow/proto/envoy/extensions/filters/http/router/v3/router";
import {
  type HttpConnectionManager,
  HttpConnectionManager_CodecType,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_PathWithEscapedSlashesAction,
  HttpConnectionManager_ServerHeaderTransformation,
  HttpConnectionManagerSchema,
  type HttpFilter,
  HttpFilterSchema,
} from "@hedgerow/proto/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { TypedStructSchema } from "@hedgerow/proto/xds/type/v3/typed_struct";
import { accessLog } from "./access-log.ts";
import { ADS_SOURCE } from "./config-source.ts";
import { inspectFilters } from "./inspection.ts";
import {
  HTTP2_OPTIONS,
  MAX_HEADERS,
  MAX_HEADERS_KIB,
  ms,
  SERVER_CONNECTION_MS,
  STREAM_IDLE_MS,
  STREAM_RESETS,
} from "./limits.ts";
import { outcomeLog } from "./outcome-log.ts";
import { OUTPUT_DIGEST } from "./output-digest.ts";
import { RBAC_FILTER, rbac } from "./rbac.ts";
import { LOCAL_REPLIES } from "./refusals.ts";

export type HttpConnectionManagerInput = {
  /** Name in statistics; may repeat between listeners. */
  readonly statPrefix: string;
  readonly routeConfigName: string;
} & ({ readonly direction: "inbound"; readonly port: number } | { readonly direction: "outbound" });

/**
 * Speaks HTTP/1.1 and HTTP/2 with whoever connected. Nothing in here depends on a policy: its bytes stay the same when one
 * is edited, so that no connection is drained; policies travel on routes.
 */
export function httpConnectionManager(input: HttpConnectionManagerInput): MessageInitShape<typeof FilterSchema> {
  return {
    name: "envoy.filters.network.http_connection_manager",
    configType: { case: "typedConfig", value: anyPack(HttpConnectionManagerSchema, connectionManager(input)) },
  };
}

function connectionManager(input: HttpConnectionManagerInput): HttpConnectionManager {
  const { direction, statPrefix, routeConfigName } = input;
  return create(HttpConnectionManagerSchema, {
    statPrefix,
    codecType: HttpConnectionManager_CodecType.AUTO,
    routeSpecifier: { case: "rds", value: { routeConfigName, configSource: ADS_SOURCE } },
    httpFilters:
      input.direction === "inbound" ? [RBAC, ...inspectFilters(input.port), OUTPUT_DIGEST, ROUTER] : [ROUTER],
    accessLog: input.direction === "inbound" ? [INBOUND_LOG, outcomeLog(input.port)] : [OUTBOUND_LOG],
    commonHttpProtocolOptions: {
      maxHeadersCount: MAX_HEADERS,
      ...(direction === "inbound" ? { maxConnectionDuration: ms(SERVER_CONNECTION_MS) } : {}),
    },
    http2ProtocolOptions: HTTP2_SERVER_OPTIONS,
    maxRequestHeadersKb: MAX_HEADERS_KIB,
    streamIdleTimeout: ms(STREAM_IDLE_MS),
    requestHeadersTimeout: ms(10_000),
    earlyHeaderMutationExtensions: [STRIP_OWN_HEADERS],
    serverHeaderTransformation: HttpConnectionManager_ServerHeaderTransformation.PASS_THROUGH,
    // Routes and policies must see the path that the application sees: /a/../b, //b and %62 are /b, and an escaped slash,
    // which each server reads in its own way, is refused.
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: HttpConnectionManager_PathWithEscapedSlashesAction.REJECT_REQUEST,
    // An id that a caller's sidecar gave is kept, so that one request has one id in every log.
    generateRequestId: true,
    preserveExternalRequestId: true,
    // Any other upgrade is refused, and so is CONNECT, which no route matches.
    upgradeConfigs: [{ upgradeType: "websocket" }],
    ...(direction === "inbound" ? { localReplyConfig: LOCAL_REPLIES } : {}),
    ...(direction === "inbound" ? inboundTrust : outboundTrust),
  });
}

// A caller is a stranger: its x-envoy-* headers and its own claim of a certificate go.
const inboundTrust = {
  useRemoteAddress: true,
  skipXffAppend: true,
  forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
  setCurrentClientCertDetails: { uri: true },
} as const;

const outboundTrust = {
  skipXffAppend: true,
  forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE,
} as const;

function filter(name: string, typedConfig: Any): HttpFilter {
  return create(HttpFilterSchema, { name, configType: { case: "typedConfig", value: typedConfig } });
}

// Packed once: what is the same for every listener would otherwise be most of the work of a translation.
const ROUTER = filter(
  "envoy.filters.http.router",
  anyPack(RouterSchema, create(RouterSchema, { suppressEnvoyHeaders: true })),
);

// Refuses everything by itself: a route without a policy of its own is closed, not open.
const RBAC = filter(RBAC_FILTER, anyPack(RBACSchema, create(RBACSchema, { rules: rbac([]) })));

const INBOUND_LOG = accessLog("inbound");
const OUTBOUND_LOG = accessLog("outbound");

const HTTP2_SERVER_OPTIONS = http2ServerOptions();

// NOTE: unknown fields, because the API tree that our types come from is older than `stream_reset_burst` (21) and
// `stream_reset_rate` (22), google.protobuf.UInt64Value (Envoy 1.40).
function http2ServerOptions(): Http2ProtocolOptions {
  const data = sizeDelimitedEncode(UInt64ValueSchema, create(UInt64ValueSchema, { value: STREAM_RESETS }));
  const options = create(Http2ProtocolOptionsSchema, HTTP2_OPTIONS);
  options.$unknown = [21, 22].map((no) => ({ no, wireType: WireType.LengthDelimited, data }));
  return options;
}

// NOTE: a TypedStruct, because the API tree that our types come from is older than `remove_on_match` (Envoy 1.36).
const STRIP_OWN_HEADERS = {
  name: "envoy.http.early_header_mutation.header_mutation",
  typedConfig: anyPack(
    TypedStructSchema,
    create(TypedStructSchema, {
      typeUrl: "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
      value: { mutations: [{ remove_on_match: { key_matcher: { prefix: "x-hedgerow-" } } }] },
    }),
  ),
};
