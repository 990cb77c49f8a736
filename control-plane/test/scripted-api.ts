// An HTTPS server that answers as the test says, one question at a time: an API server that misbehaves.
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import forge from "node-forge";
import { pino } from "pino";
import { KubernetesClient } from "../src/kubernetes/client.ts";
import type { KubernetesAccess } from "../src/kubernetes/kubeconfig.ts";

/** One question, and ways to answer it. */
export class Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly #answer: ServerResponse;

  constructor(request: IncomingMessage, answer: ServerResponse) {
    const url = new URL(request.url ?? "/", "https://api");
    this.method = request.method ?? "";
    this.path = url.pathname;
    this.query = url.searchParams;
    this.headers = request.headers;
    this.#answer = answer;
  }

  json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
    this.text(status, JSON.stringify(body), headers);
  }

  text(status: number, body: string, headers: Readonly<Record<string, string>> = {}): void {
    this.#answer.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
  }

  /** Begins an answer that does not end. */
  stream(): void {
    this.#answer.writeHead(200, { "content-type": "application/json" }).flushHeaders();
  }

  write(text: string, written?: () => void): void {
    this.#answer.write(text, written);
  }

  /** A line of a watch. */
  event(type: string, object: unknown): void {
    this.write(`${JSON.stringify({ type, object })}\n`);
  }

  end(): void {
    this.#answer.end();
  }

  /** Drops the connection. */
  drop(): void {
    this.#answer.destroy();
  }

  /** Resolves when the other side has gone. */
  async left(): Promise<void> {
    if (!this.#answer.closed) await once(this.#answer, "close");
  }
}

export class ScriptedApi implements AsyncDisposable {
  readonly access: KubernetesAccess;
  readonly client: KubernetesClient;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #calls: Call[] = [];
  #waiting: ((call: Call) => void)[] = [];

  private constructor(server: Server, access: KubernetesAccess) {
    this.#server = server;
    this.access = access;
    server.on("request", (request, answer) => {
      const call = new Call(request, answer);
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#calls.push(call);
      else waiting(call);
    });
    server.on("secureConnection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.client = new KubernetesClient(access, { logger: pino({ enabled: false }) });
  }

  static async start(credentials?: KubernetesAccess["credentials"]): Promise<ScriptedApi> {
    const { certificate, key } = selfSigned();
    const server = createServer({ cert: certificate, key });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ScriptedApi(server, {
      host: "127.0.0.1",
      port: (server.address() as AddressInfo).port,
      pathPrefix: "",
      serverName: "localhost",
      ca: { kind: "text", text: certificate },
      credentials: credentials ?? { kind: "token", token: { kind: "text", text: "a-token" } },
    });
  }

  /** The next question that is not answered yet, once it is there. */
  next(): Promise<Call> {
    const call = this.#calls.shift();
    if (call !== undefined) return Promise.resolve(call);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Questions that nobody has taken. */
  get unanswered(): number {
    return this.#calls.length;
  }

  /** Closes every connection, under way or idle. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    this.#server.close();
    this.dropAll();
    await once(this.#server, "close");
  }
}

let made: { readonly certificate: string; readonly key: string } | undefined;

function selfSigned(): { readonly certificate: string; readonly key: string } {
  if (made !== undefined) return made;
  const { publicKey, privateKey } = forge.pki.rsa.generateKeyPair(2048);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = publicKey;
  certificate.serialNumber = "01";
  certificate.validity.notBefore = new Date(Date.now() - 60_000);
  certificate.validity.notAfter = new Date(Date.now() + 3_600_000);
  const name = [{ name: "commonName", value: "localhost" }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  certificate.setExtensions([
    { name: "basicConstraints", cA: true },
    { name: "subjectAltName", altNames: [{ type: 2, value: "localhost" }] },
  ]);
  certificate.sign(privateKey, forge.md.sha256.create());
  made = { certificate: forge.pki.certificateToPem(certificate), key: forge.pki.privateKeyToPem(privateKey) };
  return made;
}
