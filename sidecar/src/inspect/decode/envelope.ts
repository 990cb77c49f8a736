// From a request to the bytes of its message, which may still be compressed.
import { readConnectGet } from "@hedgerow/proto/scan";
import { headerOf } from "./protocol.ts";
import type { RefusedRead, RequestParts } from "./read-result.ts";

export const COMPRESSIONS = ["gzip", "deflate", "br"] as const;
export type CompressionName = (typeof COMPRESSIONS)[number];

export type Problem = Pick<RefusedRead, "reason" | "message">;

export interface Envelope {
  readonly json: boolean;
  /** What `message` is compressed with. */
  readonly compression: CompressionName | undefined;
  /** A view into the body, where nothing had to be decoded. */
  readonly message: Uint8Array;
}

export type EnvelopeResult =
  | { readonly ok: true; readonly value: Envelope }
  | { readonly ok: false; readonly problem: Problem };

/** Flags, then the message's length, big-endian. */
export const FRAME_HEADER_BYTES = 5;
const COMPRESSED = 1;
// As Connect's handlers have them: what they don't take, nobody reads.
const GRPC = /^application\/grpc(?:\+(?:(json)(?:; ?charset=utf-?8)?|proto))?$/i;
const GRPC_WEB = /^application\/grpc-web(-text)?(?:\+(?:(json)(?:; ?charset=utf-?8)?|proto))?$/i;
const CONNECT = /^application\/(?:(json)(?:; ?charset=utf-?8)?|proto)$/i;

/** Of a ModelInfer on gRPC's path. */
export function openRpc(request: RequestParts, query: string): EnvelopeResult {
  const { method, headers, body } = request;
  if (method === "GET") return openGet(query, body);
  if (method !== "POST") return refuse("unsupported", `ModelInfer by ${method}`);
  const type = headerOf(headers, "content-type");
  const contentEncoding = headerOf(headers, "content-encoding");
  const grpc = GRPC.exec(type);
  const web = grpc === null ? GRPC_WEB.exec(type) : null;
  if (grpc !== null || web !== null) {
    if (contentEncoding !== "" && contentEncoding !== "identity")
      return refuse("unsupported", "gRPC with a content-encoding");
    const framed = web?.[1] === undefined ? body : fromBase64Chunks(body);
    if (framed === undefined) return refuse("malformed", "the body is not base64");
    return openFrame(framed, (grpc?.[1] ?? web?.[2]) !== undefined, headerOf(headers, "grpc-encoding"));
  }
  const connect = CONNECT.exec(type);
  if (connect === null)
    return refuse("unsupported", `ModelInfer with content-type ${JSON.stringify(type.slice(0, 64))}`);
  return openPlain(body, connect[1] !== undefined, contentEncoding);
}

/** A body that is the message, perhaps compressed as a whole. */
export function openPlain(
  message: Uint8Array,
  json: boolean,
  encoding: string,
  known: readonly CompressionName[] = COMPRESSIONS,
): EnvelopeResult {
  const compression = compressionOf(encoding, known);
  return compression === "unknown"
    ? refuse("unsupported", `content-encoding ${JSON.stringify(encoding.slice(0, 64))}`)
    : { ok: true, value: { json, compression, message } };
}

function openGet(query: string, body: Uint8Array): EnvelopeResult {
  if (body.byteLength > 0) return refuse("malformed", "a GET with a body");
  const get = readConnectGet(query);
  if (!get.ok) return refuse(get.kind, get.problem);
  return openPlain(get.value.message, get.value.json, get.value.compression ?? "");
}

/** Exactly one message, and nothing after it. */
function openFrame(body: Uint8Array, json: boolean, encoding: string): EnvelopeResult {
  const compression = compressionOf(encoding, COMPRESSIONS);
  if (compression === "unknown") return refuse("unsupported", `grpc-encoding ${JSON.stringify(encoding.slice(0, 64))}`);
  if (body.byteLength < FRAME_HEADER_BYTES) return refuse("malformed", `a frame of ${body.byteLength} bytes`);
  const [flags = 0, a = 0, b = 0, c = 0, d = 0] = body;
  const length = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d;
  const message = body.subarray(FRAME_HEADER_BYTES);
  if (flags > COMPRESSED) return refuse("malformed", `a frame with flags ${flags}`);
  if (length !== message.byteLength)
    return refuse(
      "malformed",
      `the frame claims ${length} bytes and ${message.byteLength} follow, expected one message`,
    );
  if (flags !== COMPRESSED) return { ok: true, value: { json, compression: undefined, message } };
  return compression === undefined
    ? refuse("malformed", "the frame is compressed, but no header says how")
    : { ok: true, value: { json, compression, message } };
}

function compressionOf(name: string, known: readonly CompressionName[]): CompressionName | undefined | "unknown" {
  if (name === "" || name === "identity") return undefined;
  return known.find((candidate) => candidate === name) ?? "unknown";
}

/** gRPC-Web-text: base64 whose chunks may each be padded. */
function fromBase64Chunks(body: Uint8Array): Uint8Array | undefined {
  if (body.byteLength % 4 !== 0) return undefined;
  let text = "";
  // As arguments of a call: in parts, because they lie on the stack.
  for (let i = 0; i < body.byteLength; i += 8192) text += String.fromCharCode(...body.subarray(i, i + 8192));
  const bytes = new Uint8Array((text.length / 4) * 3);
  let length = 0;
  try {
    for (const [chunk] of text.matchAll(/[A-Za-z0-9+/]+={0,2}|./gs)) {
      if (chunk.length % 4 !== 0) return undefined;
      const binary = atob(chunk);
      for (let i = 0; i < binary.length; i++) bytes[length++] = binary.charCodeAt(i);
    }
  } catch {
    return undefined;
  }
  return bytes.subarray(0, length);
}

const refuse = (reason: RefusedRead["reason"], message: string): EnvelopeResult => ({
  ok: false,
  problem: { reason, message },
});
