import { chmod, rm, stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createListener, type Server as Listener } from "node:net";
import type { Duplex } from "node:stream";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { BodyPool } from "./body-pool.ts";
import { FRAME_HEADER_BYTES } from "./decode/envelope.ts";
import type { Answer } from "./refusal.ts";

/** Envoy passes on a path of up to 60 KiB (max_request_headers_kb) behind its own prefix, and the headers that it is told to. */
const MAX_HEADER_BYTES = 128 * 1024;
/** How soon it is noticed that the socket is gone from the directory. */
const WATCH_MS = 1_000;
/** From here on, bodies are copied into memory that is used again. */
const POOLED_BYTES = 64 * 1024;
const NO_BODY = Buffer.alloc(0);

/** One question of Envoy. */
export interface Question {
  /** Inbound port whose filter chain asks. */
  readonly port: number;
  readonly method: string;
  /** Of the request, with its query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** The body was not read: too many bytes are being inspected. */
  readonly overload: boolean;
}

export interface Answerer {
  /** The most bytes that a request to this port may have. */
  readonly maxRequestBytes: (port: number) => number;
  /** Never rejects. */
  readonly answer: (question: Question) => Answer | Promise<Answer>;
}

/**
 * Envoy's ext_authz service: HTTP/1.1 on a Unix socket, `/PORT/original/path?query`. The one peer is Envoy, so no time is
 * limited here: Envoy waits for two seconds and closes idle connections. Bytes in flight are bounded: what goes beyond is
 * answered without being read.
 */
export class InspectServer {
  readonly #socketPath: string;
  readonly #maxBytes: number;
  readonly #answerer: Answerer;
  readonly #logger: Logger;
  readonly #watchMs: number;
  readonly #http = createServer(
    { joinDuplicateHeaders: true, keepAliveTimeout: 0, maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: 0 },
    (request, response) => this.#receive(request, response),
  );
  #listener: Listener | undefined;
  #inode: number | undefined;
  #watch: NodeJS.Timeout | undefined;
  readonly #pool = new BodyPool();
  #stopped = false;
  #bytes = 0;

  constructor(options: {
    readonly socketPath: string;
    /** Of requests at once. */
    readonly maxBytes: number;
    readonly answerer: Answerer;
    readonly logger: Logger;
    /** How soon it is noticed that the socket is gone, milliseconds. */
    readonly watchMs?: number;
  }) {
    this.#socketPath = options.socketPath;
    this.#maxBytes = options.maxBytes;
    this.#answerer = options.answerer;
    this.#logger = options.logger;
    this.#watchMs = options.watchMs ?? WATCH_MS;
    this.#http.headersTimeout = 0;
    this.#http.timeout = 0;
    this.#http.on("clientError", refuseUnread);
  }

  /** Bytes of requests that are being inspected. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Listens, in the place of an agent that was killed, and again whenever the socket vanishes. Throws where it can't begin. */
  async start(): Promise<void> {
    await this.#listen();
    this.#watch = setInterval(() => void this.#lookAfterSocket(), this.#watchMs);
    this.#watch.unref();
  }

  /** Ends every connection. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#watch);
    this.#listener?.close();
    this.#listener = undefined;
    this.#http.closeAllConnections();
  }

  async #listen(): Promise<void> {
    await rm(this.#socketPath, { force: true });
    const listener = createListener((socket) => this.#http.emit("connection", socket));
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    listener.once("error", reject);
    listener.listen({ path: this.#socketPath, backlog: 4096 }, () => resolve(undefined));
    await promise;
    if (this.#stopped) {
      listener.close();
      return;
    }
    listener.removeListener("error", reject);
    // As when descriptors run out: those that wait are taken later.
    listener.on("error", (error) => this.#logger.error({ error: messageOf(error) }, "Could not take a connection"));
    this.#listener = listener;
    await chmod(this.#socketPath, 0o600);
    this.#inode = (await stat(this.#socketPath)).ino;
  }

  async #lookAfterSocket(): Promise<void> {
    const found = await stat(this.#socketPath).catch(() => undefined);
    if (this.#listener === undefined || found?.ino === this.#inode) return;
    this.#logger.error({ path: this.#socketPath }, "The inspection socket is gone, listening again");
    // This removes the path, whatever is there now. Connections that are open go on.
    this.#listener.close();
    try {
      await this.#listen();
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, "Could not listen for inspection");
    }
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    const target = /^\/(\d{1,5})(\/.*)$/s.exec(request.url ?? "");
    const port = Number(target?.[1] ?? 0);
    const path = target?.[2] ?? "/";
    const reply = (body: Buffer, overload: boolean) =>
      this.#reply(response, { port, method: request.method ?? "", path, headers: request.headers, body, overload });
    const announced = request.headers["content-length"];
    if (announced === "0" || (announced === undefined && request.headers["transfer-encoding"] === undefined)) {
      void reply(NO_BODY, false);
      return;
    }
    // One byte more than a message of the limit with its prefix, so that it is seen to be too much.
    const most = this.#answerer.maxRequestBytes(port) + FRAME_HEADER_BYTES + 1;
    this.#read(request, response, Math.min(Number(announced ?? most), most), reply);
  }

  /** Reads a body of at most `most` bytes; of more, the first `most`. */
  #read(
    request: IncomingMessage,
    response: ServerResponse,
    most: number,
    reply: (body: Buffer, overload: boolean) => Promise<void>,
  ): void {
    if (this.#bytes + most > this.#maxBytes) {
      request.resume();
      void reply(NO_BODY, true);
      return;
    }
    this.#bytes += most;
    // Comes exactly once, however this ends.
    response.once("close", () => {
      this.#bytes -= most;
    });
    if (most > POOLED_BYTES && request.headers["content-length"] !== undefined) {
      this.#readPooled(request, response, most, reply);
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      if (bytes < most) chunks.push(chunk);
      bytes += chunk.length;
    });
    request.on("end", () => {
      const [only] = chunks;
      void reply(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks), false);
    });
  }

  #readPooled(
    request: IncomingMessage,
    response: ServerResponse,
    most: number,
    reply: (body: Buffer, overload: boolean) => Promise<void>,
  ): void {
    const buffer = this.#pool.take(most);
    let bytes = 0;
    let ended = false;
    request.on("data", (chunk: Buffer) => {
      // Copies what fits.
      bytes += chunk.copy(buffer, bytes, 0, most - bytes);
      free(chunk);
    });
    request.on("end", () => {
      ended = true;
      // Answered means decided and recorded: no view of the body is left then.
      void reply(buffer.subarray(0, bytes), false).finally(() => this.#pool.give(buffer));
    });
    response.once("close", () => {
      if (!ended) this.#pool.give(buffer);
    });
  }

  async #reply(response: ServerResponse, question: Question): Promise<void> {
    try {
      // Envoy stopped waiting: nobody would hear the answer, and whoever asks again is asked about again.
      if (response.destroyed) return;
      const { status, headers, body } = await this.#answerer.answer(question);
      response.sendDate = false;
      response.writeHead(status, [...headers]);
      response.end(body);
    } catch (error) {
      this.#logger.error({ error: messageOf(error) }, "Inspection failed");
      response.destroy();
    }
  }
}

/**
 * Gives a chunk's memory back now. Left to the collector, which counts it as its own, 600 KB a body make it mark the whole heap every few
 * requests: 2 ms each, more than all else that is done about them.
 */
function free({ buffer, byteLength }: Buffer): void {
  // Unless others have a part of it.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/**
 * What Envoy takes and node's parser doesn't, as a method that nobody knows: no, and Envoy says the rest. Without an answer it would
 * be a check that failed, and an open filter would let through what its caller wants unseen.
 */
function refuseUnread(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code?.startsWith("HPE_") === true && socket.writable)
    socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  else socket.destroy();
}
