import { type Envelope, type EnvelopeResult, openPlain, openRpc } from "./decode/envelope.ts";
import { headerOf, protocolOf } from "./decode/protocol.ts";
import type { ReadLimits, ReadResult, RefusedRead, RequestParts } from "./decode/read-result.ts";
import { readRestMessage } from "./decode/rest-message.ts";
import { readRpcMessage } from "./decode/rpc-message.ts";
import { type Target, targetOf } from "./decode/target.ts";
import { type DecompressResult, decompress } from "./decompress.ts";

/** Of Envoy, where it shows less than the whole body. */
const PARTIAL_HEADER = "x-envoy-auth-partial-body";
const LONGEST_MESSAGE = 1500;
/** None is what some clients send; anything else, some servers refuse and some read as JSON. */
const REST_TYPE = /^(?:application\/json(?:; ?charset=utf-?8)?|application\/octet-stream)?$/i;

/**
 * What a request asks for, or why that is not certain. Never throws or rejects. A promise only where a compressed body is
 * too large to be decompressed in passing.
 */
export function readRequest(request: RequestParts, limits: ReadLimits): ReadResult | Promise<ReadResult> {
  const target = targetOf(request.path);
  const protocol = protocolOf(request);
  const refuse = (reason: RefusedRead["reason"], message: string): RefusedRead => ({
    kind: "refused",
    protocol,
    reason,
    message: message.slice(0, LONGEST_MESSAGE),
  });
  switch (target.kind) {
    case "disguised":
      return refuse("unsupported", "a path of ModelInfer that is not written as it should be");
    case "other": {
      const { kind, ...named } = target;
      return { kind, protocol, ...named };
    }
    case "rpc":
    case "rest": {
      // What a browser asks before it calls; nobody answers it with an inference.
      if (request.method === "OPTIONS") return { kind: "other", protocol, method: "http" };
      // Not even the few bytes of a frame's header: Envoy may show a body that is too large only up to a byte beyond the
      // limit, and let all of it through. What looks whole by then could go on.
      if (request.body.byteLength > limits.maxRequestBytes)
        return refuse("too_large", `a body of ${request.body.byteLength} bytes, at most ${limits.maxRequestBytes}`);
      if (headerOf(request.headers, PARTIAL_HEADER).includes("true")) return refuse("too_large", "a body that is cut");
      const opened = target.kind === "rpc" ? openRpc(request, target.query) : openRest(request);
      if (!opened.ok) return refuse(opened.problem.reason, opened.problem.message);
      const read = (result: DecompressResult) =>
        result.ok ? readMessage(target, result.bytes, opened.value) : refuse(result.kind, result.problem);
      const plain = plainMessage(opened.value, limits.maxRequestBytes);
      return plain instanceof Promise ? plain.then(read) : read(plain);
    }
  }

  function readMessage(on: Target & { kind: "rpc" | "rest" }, decoded: Uint8Array, { json }: Envelope): ReadResult {
    if (on.kind === "rpc") {
      const message = readRpcMessage(decoded, json);
      return message.ok
        ? { kind: "infer", protocol, ...message.value, decoded }
        : refuse(message.problem.reason, message.problem.message);
    }
    const { model, version } = on;
    const headerLength = headerOf(request.headers, "inference-header-content-length");
    const message = readRestMessage(decoded, headerLength, model, version);
    return message.ok
      ? { kind: "infer", protocol, model, version, ...message.value, decoded }
      : refuse(message.problem.reason, message.problem.message);
  }
}

function openRest({ method, headers, body }: RequestParts): EnvelopeResult {
  const unsupported = (message: string): EnvelopeResult => ({ ok: false, problem: { reason: "unsupported", message } });
  if (method !== "POST") return unsupported(`infer by ${method}`);
  const type = headerOf(headers, "content-type");
  if (!REST_TYPE.test(type)) return unsupported(`infer with content-type ${JSON.stringify(type.slice(0, 64))}`);
  return openPlain(body, true, headerOf(headers, "content-encoding"), ["gzip", "deflate"]);
}

function plainMessage(
  { message, compression }: Envelope,
  maxBytes: number,
): DecompressResult | Promise<DecompressResult> {
  // A GET's comes in the path.
  if (message.byteLength > maxBytes)
    return { ok: false, kind: "too_large", problem: `a message of ${message.byteLength} bytes, at most ${maxBytes}` };
  return compression === undefined ? { ok: true, bytes: message } : decompress(compression, message, maxBytes);
}
