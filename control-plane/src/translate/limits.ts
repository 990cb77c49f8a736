// Numbers that several resources must agree on.
import { type Duration, durationFromMs } from "@bufbuild/protobuf/wkt";

/**
 * What Envoy holds of one request: a larger body passes, but can't be tried again. 4 MiB is also the predictor's default
 * limit for a request.
 */
export const BUFFER_BYTES = 4 * 1024 * 1024;

/** HTTP/2 windows: a large tensor must not wait for round trips. Envoy's buffers bound what is held, not these. */
export const HTTP2_OPTIONS = {
  maxConcurrentStreams: 1024,
  initialStreamWindowSize: BUFFER_BYTES,
  initialConnectionWindowSize: 4 * BUFFER_BYTES,
} as const;

/**
 * Streams that a caller may give up, at once and a second, before its connection is closed with all that is under way on it. A
 * sidecar gives up each request that is refused before its body is in: the codec's own limit, 33 a second, would take a
 * caller's allowed requests for the sake of its refused ones. Whoever gives up before an answer is still limited, by Envoy
 * itself (`overload.premature_reset_total_stream_count`: half of 500).
 */
export const STREAM_RESETS = 100_000n;

/** Header fields of one message, and their size in KiB (Envoy's own defaults, stated so that they cannot change). */
export const MAX_HEADERS = 100;
export const MAX_HEADERS_KIB = 60;

/** How long a peer may take from connecting to the end of its handshake. */
export const HANDSHAKE_MS = 10_000;

/** How long a stream may carry nothing in either direction. */
export const STREAM_IDLE_MS = 5 * 60_000;

/**
 * After which an idle connection to the application is closed. Node and uvicorn close idle HTTP/1.1 connections after 5 s,
 * and a request may cross that close: be first.
 */
export const APP_IDLE_MS = 3_000;

/** How long a caller waits for an answer, from the end of its request. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** Of a Kubernetes Service: applications that knew nothing of a mesh may answer for as long as they like; idle streams end. */
export const NO_TIMEOUT_MS = 0;

/**
 * A certificate is checked only when a connection begins, so connections end. The caller's side ends them first: it knows
 * whether a request is under way, while a server that closes an HTTP/1.1 connection may meet one.
 */
export const CALLER_CONNECTION_MS = 3_600_000;
export const SERVER_CONNECTION_MS = 2 * CALLER_CONNECTION_MS;

/** A TCP connection through which nothing has come for so long is taken for one whose end was lost (Envoy's own default). */
export const TCP_IDLE_MS = 3_600_000;

/**
 * How long a caller may be silent before its protocol is taken for one in which the server speaks first: what such a
 * connection waits on a port whose protocol nobody named. Mesh callers speak within a round trip.
 */
export const DETECTION_MS = 2_000;

export function ms(value: number): Duration {
  return durationFromMs(value);
}
