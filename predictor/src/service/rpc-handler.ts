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
import { guardRequest } from "./request-guard.ts";
import type { Request, Response } from "./shared-port.ts";

export interface RpcHandlerOptions {
  readonly routes: (router: ConnectRouter) => void;
  readonly interceptors: Interceptor[];
  readonly maxRequestBytes: number;
  readonly logger: Logger;
  /** After every call that an RPC's path took, with the values that its interceptors left. */
  readonly onClose: (method: string, values: ContextValues) => void;
}

/** Tensors barely shrink, and gzip costs more than sending them; small JSON is not worth it either. */
const COMPRESS_MIN_BYTES = 64 * 1024 * 1024;
/** Requests of the largest size that may be in flight together. */
const LARGEST_REQUESTS = 64;
/** For an HTTP/2 request's body, which node does not bound; over HTTP/1.1 it does. */
const BODY_TIMEOUT_MS = 60_000;

/**
 * Connect, gRPC and gRPC-Web for node's servers. Connect's own adapter throws out of the request event (and so ends the
 * process) where a request has no Host or one that is no URL; it also decodes whatever the bytes claim.
 */
export function rpcHandler(options: RpcHandlerOptions): (request: Request, response: Response) => void {
  const { maxRequestBytes, logger } = options;
  const router = createConnectRouter({
    acceptCompression: [...COMPRESSIONS],
    compressMinBytes: COMPRESS_MIN_BYTES,
    readMaxBytes: maxRequestBytes,
    interceptors: options.interceptors,
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const budget = new ByteBudget(maxRequestBytes * LARGEST_REQUESTS);

  return (request, response) => {
    closeUnread(request, response);
    const handler = handlers.get(request.url?.split("?", 1)[0] ?? "");
    if (handler === undefined) return refuse(request, response, 404);
    const values = createContextValues();
    response.once("close", () => options.onClose(handler.method.name, values));
    const universal = universalRequest(request, response, values);
    if (universal === undefined) return refuse(request, response, 400);
    const guarded = guardRequest(universal, handler.method.input, { maxRequestBytes, budget });
    response.once("close", guarded.release);
    handler(guarded.request)
      .then((answer) => {
        closeAfterUnread(request, response);
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
function closeUnread(request: Request, response: Response): void {
  if (!("stream" in request)) return;
  const { stream } = request;
  const timer = setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), BODY_TIMEOUT_MS);
  stream.once("end", () => clearTimeout(timer));
  stream.once("close", () => clearTimeout(timer));
  // Source: RFC 9113, 8.1.
  response.once("finish", () => {
    if (!stream.readableEnded) stream.close(http2.constants.NGHTTP2_NO_ERROR);
  });
}
