// An application that says what it saw, and calls in plain text or with an SVID.
import {
  type Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as plainRequest,
  type Server,
} from "node:http";
import { request as tlsRequest } from "node:https";
import type { Identity } from "./identity.ts";

/** Answers at once; /slow after 10 ms. */
export class EchoApp implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly #server: Server;

  private constructor(name: string, port: number, server: Server) {
    this.name = name;
    this.port = port;
    this.#server = server;
  }

  static async start(name: string): Promise<EchoApp> {
    const server = createServer(({ url, headers }, response) => {
      response.setHeader("content-type", "application/json");
      const answer = JSON.stringify({ app: name, path: url, headers });
      if (url === "/slow") setTimeout(() => response.end(answer), 10);
      else response.end(answer);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new EchoApp(name, portOf(server), server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

/** Ports of 127.0.0.1 that were free a moment ago, all different. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => new Promise<void>((done) => server.listen(0, "127.0.0.1", done))));
  const ports = servers.map(portOf);
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}

export interface Call {
  readonly port: number;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Calls over mTLS as this; absent: in plain text. */
  readonly identity?: Partial<Identity>;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** What the application saw; undefined when the answer is not its own. */
  readonly seen: { readonly app: string; readonly path: string; readonly headers: IncomingHttpHeaders } | undefined;
}

/** One call. Sends the path as it is given. Rejects when there is no answer. */
export function call({
  port,
  path = "/",
  method = "GET",
  headers = {},
  identity,
  agent,
  maxVersion,
}: Call): Promise<Answer> {
  const target = { host: "127.0.0.1", port, path, method, headers, agent: agent ?? false };
  return new Promise((resolve, reject) => {
    const receive = (response: IncomingMessage) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(parts).toString();
        const json = response.headers["content-type"] === "application/json" ? JSON.parse(body) : undefined;
        // Envoy refuses in JSON, too.
        const seen = json !== undefined && "app" in json ? json : undefined;
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, seen });
      });
    };
    const verified = { ...identity, ...(maxVersion ? { maxVersion } : {}), checkServerIdentity: () => undefined };
    const request = identity ? tlsRequest({ ...target, ...verified }, receive) : plainRequest(target, receive);
    request.on("error", reject).end();
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return address.port;
}
