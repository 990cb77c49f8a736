import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  type AccessLog,
  type AccessLogFilter,
  AccessLogFilterSchema,
  AccessLogSchema,
} from "@hedgerow/proto/envoy/config/accesslog/v3/accesslog";
import { StdoutAccessLogSchema } from "@hedgerow/proto/envoy/extensions/access_loggers/stream/v3/stream";
import { celFilter } from "./cel.ts";
import { ACCESS_METADATA, ACCESS_METADATA_POLICY } from "./rbac.ts";

export type Direction = "inbound" | "outbound";

/** Of every request. Without the query: a Connect GET carries its whole message there. */
export const REQUEST_FIELDS = {
  time: "%START_TIME%",
  request_id: "%REQ(X-REQUEST-ID)%",
  method: "%REQ(:METHOD)%",
  path: "%PATH(NQ:PATH)%",
  protocol: "%PROTOCOL%",
  status: "%RESPONSE_CODE%",
  grpc_status: "%GRPC_STATUS%",
  details: "%RESPONSE_CODE_DETAILS%",
  flags: "%RESPONSE_FLAGS%",
  duration_ms: "%DURATION%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  upstream: "%UPSTREAM_HOST%",
  attempts: "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
} as const;

const fields = {
  inbound: {
    direction: "inbound",
    ...REQUEST_FIELDS,
    peer: "%DOWNSTREAM_PEER_URI_SAN%",
    policy: `%METADATA(ROUTE:${ACCESS_METADATA}:${ACCESS_METADATA_POLICY})%`,
  },
  outbound: {
    direction: "outbound",
    ...REQUEST_FIELDS,
    cluster: "%UPSTREAM_CLUSTER%",
    peer: "%UPSTREAM_PEER_URI_SAN%",
  },
} as const;

// `destination` is where the connection was going before it was captured.
const connection = {
  time: "%START_TIME%",
  protocol: "TCP",
  source: "%DOWNSTREAM_REMOTE_ADDRESS%",
  destination: "%DOWNSTREAM_LOCAL_ADDRESS%",
  server_name: "%REQUESTED_SERVER_NAME%",
  details: "%CONNECTION_TERMINATION_DETAILS%",
  failure: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
  flags: "%RESPONSE_FLAGS%",
  duration_ms: "%DURATION%",
  bytes_received: "%BYTES_RECEIVED%",
  bytes_sent: "%BYTES_SENT%",
  upstream: "%UPSTREAM_HOST%",
  cluster: "%UPSTREAM_CLUSTER%",
} as const;

const connectionFields = {
  inbound: { direction: "inbound", ...connection, peer: "%DOWNSTREAM_PEER_URI_SAN%" },
  outbound: { direction: "outbound", ...connection, peer: "%UPSTREAM_PEER_URI_SAN%" },
} as const;

/** One line of JSON a request on Envoy's standard output; fields without a value are left out. */
export function accessLog(direction: Direction): AccessLog {
  return stdoutLog(fields[direction]);
}

/** The same of a connection that carries no HTTP, written when it ends. */
export function connectionLog(direction: Direction): AccessLog {
  return stdoutLog(connectionFields[direction]);
}

/** Of a connection that no filter chain takes, or whose handshake failed: nobody else would tell that it was refused. */
export const REFUSED_CONNECTION: AccessLogFilter = create(AccessLogFilterSchema, {
  filterSpecifier: {
    case: "orFilter",
    value: {
      filters: [
        { filterSpecifier: { case: "responseFlagFilter", value: { flags: ["NR"] } } },
        celFilter("connection.transport_failure_reason != ''"),
      ],
    },
  },
});

/** The same of refused connections. */
export function refusedConnectionLog(): AccessLog {
  return stdoutLog(connectionFields.inbound, REFUSED_CONNECTION);
}

function stdoutLog(json: Readonly<Record<string, string>>, filter?: AccessLogFilter): AccessLog {
  const log = create(StdoutAccessLogSchema, {
    accessLogFormat: {
      case: "logFormat",
      value: { format: { case: "jsonFormat", value: json }, omitEmptyValues: true },
    },
  });
  return create(AccessLogSchema, {
    name: "envoy.access_loggers.stdout",
    ...(filter === undefined ? {} : { filter }),
    configType: { case: "typedConfig", value: anyPack(StdoutAccessLogSchema, log) },
  });
}
