import http2 from "node:http2";
import {
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { ByteBudget } from "./byte-budget.ts";
import { COMPRESSIONS } from "./compression.ts";
import { postOfGet } from "./connect-get.ts";
import { guardRequest } from "./request-guard.ts";
import { LARGEST_REQUEST_BYTES, requestLimit } from "./request-limit.ts";
import type { Request, Response } from "./shared-port.ts";

export interface RpcHandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: Interceptor[];
  readonly maxRequestBytes: number;
  readonly logger: Logger;
  /** After every call that an RPC's path took, with the values that its interceptors left. */
  readonly onClose: (method: string, values: ContextValues) => void;
  readonly timeouts?: CallTimeouts;
  /** Of all requests together. Full: `resource_exhausted`. Default: 64 of the largest size. */
  readonly inFlightBytes?: number;
}

/** How long a caller may hold on to the server's memory, in milliseconds. */
export interface CallTimeouts {
  /** To send an HTTP/2 request's body, which node does not bound; over HTTP/1.1 it does. */
  readonly bodyMs: number;
  /** To take the answer, once it is there; a streaming one may last. */
  readonly answerMs: number;
}

/** Tensors barely shrink, and gzip costs more than sending them; small JSON is not worth it either. */
const COMPRESS_MIN_BYTES = 64 * 1024 * 1024;
const LARGEST_REQUESTS = 64;
/** Of what asks for a stream (a service's name, to watch its health): it is held for as long as the stream lasts. */
const MAX_STREAM_REQUEST_BYTES = 4096;
const TIMEOUTS: CallTimeouts = { bodyMs: 60_000, answerMs: 60_000 };

/**
 * Connect, gRPC and gRPC-Web for node's servers. Connect's own adapter throws out of the request event (and so ends the
 * process) where a request has no Host or one that is no URL; it also decodes whatever the bytes claim.
 */
export function rpcHandler(options: RpcHandlerOptions): (request: Request, response: Response) => void {
  const { maxRequestBytes, logger, timeouts = TIMEOUTS } = options;
  const router = createConnectRouter({
    acceptCompression: [...COMPRESSIONS],
    compressMinBytes: COMPRESS_MIN_BYTES,
    // The guard has the limit of each request.
    readMaxBytes: Math.max(maxRequestBytes, LARGEST_REQUEST_BYTES),
    interceptors: options.interceptors,
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const budget = new ByteBudget(options.inFlightBytes ?? maxRequestBytes * LARGEST_REQUESTS);

  return (request, response) => {
    closeUnread(request, response, timeouts.bodyMs);
    const handler = handlers.get(request.url?.split("?", 1)[0] ?? "");
    if (handler === undefined) return refuse(request, response, 404);
    const values = createContextValues();
    response.once("close", () => options.onClose(handler.method.name, values));
    const universal = universalRequest(request, response, values);
    if (universal === undefined) return refuse(request, response, 400);
    const isUnary = handler.method.methodKind === "unary";
    const isGet = universal.method === "GET" && handler.allowedMethods.includes("GET");
    const limitBytes = requestLimit(universal.header, maxRequestBytes);
    const guarded = guardRequest(isGet ? postOfGet(universal) : universal, handler.method.input, {
      maxRequestBytes: isUnary ? limitBytes : Math.min(limitBytes, MAX_STREAM_REQUEST_BYTES),
      budget,
    });
    response.once("close", guarded.release);
    handler(guarded.request)
      .then((answer) => {
        closeAfterUnread(request, response);
        if (isUnary) closeUntaken(response, timeouts.answerMs);
        return universalResponseToNodeResponse(answer, response);
      })
      .catch((error: unknown) => {
        // The caller left while it was answered; nobody is there to be told.
        logger.debug({ error: messageOf(error), method: handler.method.name }, "Answer not delivered");
        response.destroy();
      });
  };
}

function refuse(request: Request, response: Response, status: 400 | 404): void {
  closeAfterUnread(request, response);
  response.statusCode = status;
  response.end();
}

function universalRequest(request: Request, response: Response, values: ContextValues) {
  try {
    return universalRequestFromNodeRequest(request, response, undefined, values);
  } catch {
    // No Host, or one that is no part of a URL: nothing that can be said better than 400.
    return undefined;
  }
}

/**
 * An HTTP/1.1 connection is not for another request while the body of this one is on its way: some clients (Connect's) stop
 * sending at an early answer, and what they send next would pass for the rest.
 */
function closeAfterUnread(request: Request, response: Response): void {
  if (!("stream" in request) && !request.complete) response.setHeader("connection", "close");
}

/** Ends an HTTP/2 request whose body nobody reads to its end: after an early answer, or when it takes too long. */
function closeUnread(request: Request, response: Response, timeoutMs: number): void {
  if (!("stream" in request)) return;
  const { stream } = request;
  const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), timeoutMs);
  stream.once("end", () => clearTimeout(timer));
  stream.once("close", () => clearTimeout(timer));
  // Source: RFC 9113, 8.1.
  response.once("finish", () => {
    if (!stream.readableEnded) stream.close(http2.constants.NGHTTP2_NO_ERROR);
  });
}

/** Ends an answer that its caller does not read: until then it holds its memory, and its request's share of the budget. */
function closeUntaken(response: Response, timeoutMs: number): void {
  const timer = setTimeout(() => response.destroy(), timeoutMs);
  response.once("close", () => clearTimeout(timer));
}
