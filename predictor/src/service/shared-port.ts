import http from "node:http";
import http2 from "node:http2";
import { type AddressInfo, Server as NetServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { ListenAddress } from "../config.ts";

/** What both of node's servers hand over. */
export type Request = http.IncomingMessage | http2.Http2ServerRequest;
export type Response = http.ServerResponse | http2.Http2ServerResponse;

// Source: RFC 9113, 3.4.
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
/** How long a connection may keep us waiting, in milliseconds. */
export interface PortTimeouts {
  /** For its first bytes, and for the headers of an HTTP/1.1 request. */
  readonly headersMs: number;
  /** For an HTTP/1.1 request, its body included. */
  readonly requestMs: number;
  /** Between requests. */
  readonly idleMs: number;
}

/** Idle: beyond the hour after which Envoy gives a connection up, because the side that sends must be the side that closes. */
const TIMEOUTS: PortTimeouts = { headersMs: 10_000, requestMs: 60_000, idleMs: 61 * 60_000 };
/** What is idle is closed so long after a drain began: requests that were on their way arrive meanwhile. */
const NOTICE_MS = 500;
/** When the kernel begins to ask whether the machine of a silent peer is still there. */
const PROBE_AFTER_MS = 60_000;
/** The default of 64 KiB lets one image a round trip through. */
const WINDOW_BYTES = 16 * 1024 * 1024;
const MAX_CONCURRENT_STREAMS = 1000;

/**
 * One port of cleartext HTTP/1.1 and HTTP/2 with prior knowledge: which of them a connection speaks, its first bytes say.
 */
export class SharedPort implements AsyncDisposable {
  readonly #http1: http.Server;
  readonly #http2: http2.Http2Server;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  readonly #undecided = new Set<Socket>();
  readonly #openHttp1 = new Set<http.ServerResponse>();
  #draining = false;

  constructor(onRequest: (request: Request, response: Response) => void, timeouts = TIMEOUTS) {
    const { headersMs, requestMs, idleMs } = timeouts;
    this.#http2 = http2.createServer({
      settings: { initialWindowSize: WINDOW_BYTES, maxConcurrentStreams: MAX_CONCURRENT_STREAMS },
    });
    this.#http2.on("session", (session) => {
      session.setLocalWindowSize(WINDOW_BYTES);
      session.setTimeout(idleMs, () => session.close());
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
      if (this.#draining) session.close();
    });
    this.#http2.on("request", onRequest);
    this.#http1 = http.createServer({
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: Math.ceil(headersMs / 2),
      keepAliveTimeout: idleMs,
      keepAlive: true,
      keepAliveInitialDelay: PROBE_AFTER_MS,
    });
    this.#http1.on("request", (request, response) => {
      this.#openHttp1.add(response);
      response.once("close", () => this.#openHttp1.delete(response));
      if (this.#draining) response.setHeader("connection", "close");
      onRequest(request, response);
    });
    // The HTTP/1.1 server owns the port, so that its timeouts and its closing work as node documents them; only who
    // hears of a new connection first is changed.
    const serveHttp1 = this.#http1.listeners("connection");
    this.#http1.removeAllListeners("connection");
    this.#http1.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      this.#decide(socket, headersMs, (isHttp2) => {
        if (isHttp2) {
          // HTTP/1.1 answers a client that has closed its half; HTTP/2 has nobody left to answer, and would keep the socket.
          socket.allowHalfOpen = false;
          this.#http2.emit("connection", socket);
        } else for (const listener of serveHttp1) listener.call(this.#http1, socket);
      });
    });
  }

  /** Resolves to the port's address, HOST:PORT. */
  async listen({ host, port }: ListenAddress): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#http1.once("error", reject);
    this.#http1.listen(port, host, resolve);
    await promise;
    this.#http1.off("error", reject);
    const { address, family, port: taken } = this.#http1.address() as AddressInfo;
    return family === "IPv6" ? `[${address}]:${taken}` : `${address}:${taken}`;
  }

  /**
   * Takes no new connection, tells every client (GOAWAY, `connection: close`), and resolves when the last connection has
   * ended. Idle ones may bring one more request first: HTTP/1.1 has no other word for "go". Whoever can't wait disposes.
   */
  async drain(): Promise<void> {
    this.#draining = true;
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    // Without http.Server's own, which closes what is idle.
    NetServer.prototype.close.call(this.#http1, () => resolve());
    for (const response of this.#openHttp1) if (!response.headersSent) response.setHeader("connection", "close");
    for (const session of this.#sessions) session.close();
    await Promise.race([ended, sleep(NOTICE_MS)]);
    this.#http1.close();
    for (const socket of this.#undecided) socket.destroy();
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const drained = this.drain();
    // Sockets, not sessions: a session that is destroyed ends its streams without an error, and some clients (Connect's) then
    // wait for an answer for ever.
    for (const socket of this.#sockets) socket.destroy();
    await drained;
  }

  #decide(socket: Socket, timeoutMs: number, serve: (isHttp2: boolean) => void): void {
    const seen: Buffer[] = [];
    let seenBytes = 0;
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    const leave = () => {
      clearTimeout(timer);
      this.#undecided.delete(socket);
      socket.off("readable", onReadable);
      socket.off("error", giveUp);
      socket.off("end", giveUp);
      socket.off("close", leave);
    };
    const giveUp = () => socket.destroy();
    const onReadable = () => {
      for (;;) {
        const chunk = socket.read() as Buffer | null;
        if (chunk === null) break;
        seen.push(chunk);
        seenBytes += chunk.length;
      }
      if (seenBytes === 0) return;
      const start = Buffer.concat(seen).subarray(0, PREFACE.length);
      const couldBeHttp2 = start.equals(PREFACE.subarray(0, start.length));
      if (couldBeHttp2 && seenBytes < PREFACE.length) return;
      leave();
      socket.unshift(Buffer.concat(seen));
      serve(couldBeHttp2);
    };
    this.#undecided.add(socket);
    socket.on("readable", onReadable);
    socket.on("error", giveUp);
    socket.on("end", giveUp);
    socket.on("close", leave);
  }
}
