import { DECISION_HEADER, DENIAL_STATUSES, STATUS_HEADER, UNSERVED_HEADER } from "@hedgerow/proto";
import type { Protocol } from "./decode/read-result.ts";

/** An answer of the agent to Envoy. */
export interface Answer {
  readonly status: number;
  /** Name and value in turn, as node writes them without looking at them. */
  readonly headers: readonly string[];
  readonly body: string | Buffer;
}

/** HTTP status of a denial, in a record and in REST. */
export type DenialStatus = 400 | 403 | 413 | 415 | 429 | 501 | 503;

/** When a caller that was one too many may come again. */
const RETRY_AFTER_SECONDS = 1;
/** Bit of a gRPC-Web frame's flags: it holds trailers. */
const WEB_TRAILERS = 0x80;
/** Bit of a Connect envelope's flags: it ends the stream. */
const CONNECT_END = 0x02;
const PREFIX_BYTES = 5;

/** What each status is called in gRPC (statuscodes.md) and, by the same codes, in Connect (connectrpc.com/docs/protocol). */
const RPC: Readonly<Record<DenialStatus, { readonly grpc: number; readonly connect: string }>> = {
  400: { grpc: 3, connect: "invalid_argument" },
  403: { grpc: 7, connect: "permission_denied" },
  413: { grpc: 8, connect: "resource_exhausted" },
  415: { grpc: 12, connect: "unimplemented" },
  429: { grpc: 8, connect: "resource_exhausted" },
  501: { grpc: 12, connect: "unimplemented" },
  503: { grpc: 14, connect: "unavailable" },
};

/** The check failed, not the request: a filter that is closed refuses, one that is open lets through. */
export const FAILED: Answer = { status: 500, headers: ["content-length", "0"], body: "" };

/** Lets the request through, under this decision id. */
export function allowed(decision: string): Answer {
  return { status: 200, headers: [DECISION_HEADER, decision, "content-length", "0"], body: "" };
}

/**
 * A denial in the caller's protocol: a decision id and nothing else. Envoy (ext_authz) passes on status, body and some
 * headers; a gRPC caller gets trailers alone, the body as `grpc-message`, and `grpc-status` as it stands here. What status Envoy
 * would not pass on, STATUS_HEADER says: 503 and 501, and 200 for gRPC-Web and a Connect stream, where the body says the rest.
 */
export function denied(denial: {
  readonly decision: string;
  readonly status: DenialStatus;
  readonly protocol: Protocol;
  readonly contentType: string;
}): Answer {
  const { decision, status, protocol } = denial;
  const message = `refused: ${decision}`;
  const { type, body } = bodyOf(protocol, mediaType(denial.contentType), status, message);
  const callers = Buffer.isBuffer(body) || protocol === "grpc-web" ? 200 : status;
  const indirect = DENIAL_STATUSES.some((one) => one === callers);
  const headers = [DECISION_HEADER, decision, "content-type", type, "content-length", String(Buffer.byteLength(body))];
  if (indirect) headers.push(STATUS_HEADER, String(callers));
  if (protocol === "grpc") headers.push("grpc-status", String(RPC[status].grpc));
  if (status === 429) {
    headers.push("retry-after", String(RETRY_AFTER_SECONDS));
    if (protocol === "grpc") headers.push(PUSHBACK, String(RETRY_AFTER_SECONDS * 1000));
  }
  if (status === 503) headers.push(UNSERVED_HEADER, "1");
  return { status: indirect ? 403 : status, headers, body };
}

/** Source: gRFC A6. */
const PUSHBACK = "grpc-retry-pushback-ms";

function bodyOf(
  protocol: Protocol,
  type: string,
  status: DenialStatus,
  message: string,
): { readonly type: string; readonly body: string | Buffer } {
  const { grpc, connect } = RPC[status];
  switch (protocol) {
    case "grpc":
      return { type: "text/plain", body: message };
    case "grpc-web": {
      const pushback = status === 429 ? `${PUSHBACK}: ${RETRY_AFTER_SECONDS * 1000}\r\n` : "";
      const frame = framed(WEB_TRAILERS, `grpc-status: ${grpc}\r\ngrpc-message: ${message}\r\n${pushback}`);
      return type.startsWith("application/grpc-web-text")
        ? { type, body: frame.toString("base64") }
        : { type, body: frame };
    }
    case "connect": {
      const error = { code: connect, message };
      return type.startsWith("application/connect+")
        ? { type, body: framed(CONNECT_END, JSON.stringify({ error })) }
        : { type: "application/json", body: JSON.stringify(error) };
    }
    case "rest":
    case "http":
      return { type: "application/json", body: JSON.stringify({ error: message }) };
  }
}

function framed(flags: number, text: string): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + Buffer.byteLength(text));
  frame.writeUInt8(flags, 0);
  frame.writeUInt32BE(frame.length - PREFIX_BYTES, 1);
  frame.write(text, PREFIX_BYTES);
  return frame;
}

/** Without parameters; only letters that a media type may have, since it is sent back. */
function mediaType(contentType: string): string {
  return /^[a-z0-9!#$&^_.+/-]*/.exec(contentType.toLowerCase())?.[0] ?? "";
}
