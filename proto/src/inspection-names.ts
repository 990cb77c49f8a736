// Names on which Envoy's configuration and the agent agree.

/** Decision id: answer header of the agent, request header to the application, answer header to the caller. */
export const DECISION_HEADER = "x-hedgerow-decision";
/** To the application: the most bytes of a request that the mesh lets through, so that its own limit can agree. */
export const MAX_REQUEST_BYTES_HEADER = "x-hedgerow-max-request-bytes";
/** Route metadata; present where requests are recorded. */
export const AUDIT_METADATA = "hedgerow.audit";
/** In it: NAMESPACE/NAME of the AuditPolicy. */
export const AUDIT_METADATA_POLICY = "policy";
/** Cluster of the bootstrap: the agent's inspection server. */
export const INSPECT_CLUSTER = "inspect";
/** Cluster of the bootstrap: the agent as it digests answers, on connections of their own. */
export const OUTPUT_CLUSTER = "output";
/** Of the two ext_authz filters of a listener a route enables at most one; neither: nothing is inspected. */
export const INSPECT_FILTER_CLOSED = "hedgerow.inspect.closed";
export const INSPECT_FILTER_OPEN = "hedgerow.inspect.open";
/** Envoy appends a line of JSON here for each recorded request that ends; relative to Envoy's working directory, the run directory. */
export const OUTCOME_LOG = "envoy-outcomes.log";
/**
 * On a 503 (or gRPC status 14): the application has not seen the request, so it is safe to try it elsewhere. Set by Envoy where
 * it could not connect to the application, and by the agent where it could not record.
 */
export const UNSERVED_HEADER = "x-hedgerow-unserved";
/**
 * Answer header of the agent: the HTTP status that the caller gets in place of the agent's own (one of those below). Envoy
 * takes an answer of 5xx for a check that failed, whose words are lost and which an open filter lets through; and a denial of
 * 200 would be no denial. So such refusals go out as 403 with this. 503: the caller's sidecar may try elsewhere.
 */
export const STATUS_HEADER = "x-hedgerow-status";
export const DENIAL_STATUSES = [200, 501, 503] as const;
/** Where Envoy keeps the agent's DECISION_HEADER and STATUS_HEADER of a request: dynamic metadata of either filter. */
export const INSPECT_METADATA = "envoy.filters.http.ext_authz";
