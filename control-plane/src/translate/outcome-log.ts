// What Envoy writes down for the agent's ledger: how recorded requests ended, and what was refused before the agent saw it.
import { create } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { AUDIT_METADATA, AUDIT_METADATA_POLICY, DECISION_HEADER, INSPECT_METADATA, OUTCOME_LOG } from "@hedgerow/proto";
import {
  type AccessLog,
  type AccessLogFilter,
  AccessLogSchema,
} from "@hedgerow/proto/envoy/config/accesslog/v3/accesslog";
import { FileAccessLogSchema } from "@hedgerow/proto/envoy/extensions/access_loggers/file/v3/file";
import { REFUSED_CONNECTION, REQUEST_FIELDS, refusedConnectionLog } from "./access-log.ts";
import { celFilter } from "./cel.ts";
import { ACCESS_METADATA, ACCESS_METADATA_POLICY } from "./rbac.ts";

/** One line a request that is recorded, or that was refused before a route was chosen; of an unrecorded route none. */
export function outcomeLog(port: number): AccessLog {
  const { upstream, attempts, ...common } = REQUEST_FIELDS;
  const fields = {
    ...common,
    port: String(port),
    audit: `%METADATA(ROUTE:${AUDIT_METADATA}:${AUDIT_METADATA_POLICY})%`,
    decision: `%DYNAMIC_METADATA(${INSPECT_METADATA}:${DECISION_HEADER})%`,
    upstream,
    attempts,
    // As the caller's sidecar sent it.
    attempt: "%REQ(X-ENVOY-ATTEMPT-COUNT)%",
    peer: "%DOWNSTREAM_PEER_URI_SAN%",
    policy: `%METADATA(ROUTE:${ACCESS_METADATA}:${ACCESS_METADATA_POLICY})%`,
  };
  return fileLog(fields, RECORDED);
}

const RECORDED = celFilter(`'${AUDIT_METADATA}' in xds.route_metadata.filter_metadata || !has(xds.route_name)`);

const CONNECTION_FIELDS = {
  connection: true,
  time: "%START_TIME%",
  port: "%DOWNSTREAM_LOCAL_PORT%",
  source: "%DOWNSTREAM_REMOTE_ADDRESS%",
  failure: "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
  details: "%CONNECTION_TERMINATION_DETAILS%",
  flags: "%RESPONSE_FLAGS%",
  peer: "%DOWNSTREAM_PEER_URI_SAN%",
} as const;

/**
 * Of inbound listeners: a line, on standard output and for the agent, of each connection that could carry no request. `port` is the one
 * that it was made to, whichever listener took it.
 */
export const REFUSED_CONNECTIONS: readonly AccessLog[] = [
  refusedConnectionLog(),
  fileLog(CONNECTION_FIELDS, REFUSED_CONNECTION),
];

function fileLog(json: Readonly<Record<string, string | boolean>>, filter: AccessLogFilter): AccessLog {
  const log = create(FileAccessLogSchema, {
    path: OUTCOME_LOG,
    accessLogFormat: {
      case: "logFormat",
      value: { format: { case: "jsonFormat", value: json }, omitEmptyValues: true },
    },
  });
  return create(AccessLogSchema, {
    name: "envoy.access_loggers.file",
    filter,
    configType: { case: "typedConfig", value: anyPack(FileAccessLogSchema, log) },
  });
}
