import { Agent as HttpAgent, type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";

const TIMEOUT_MS = 10_000;
/** Of an answer: what is longer is cut, only its beginning is ever shown. */
const MAX_ANSWER_BYTES = 64 * 1024;
/** Of an error's words that are kept. */
const MAX_WORDS = 300;

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** Requests to one server, over connections that are kept. node:http and not fetch, which takes 10 MB of every agent. */
export class Server {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #base: URL;

  /** `base`: http(s)://HOST[:PORT]. */
  constructor(base: string) {
    this.#base = new URL(base);
    const options = { keepAlive: true, maxSockets: 2 };
    this.#agent = this.#base.protocol === "https:" ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /** HOST[:PORT], as the header has it. */
  get host(): string {
    return this.#base.host;
  }

  /** Whatever it answers; throws where it does not answer within 10 s. */
  async send(method: string, path: string, headers: OutgoingHttpHeaders, body?: Buffer): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const request = this.#base.protocol === "https:" ? requestHttps : requestHttp;
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const { hostname, port } = this.#base;
    const options = { host: hostname.replace(/^\[|\]$/g, ""), port, method, path, headers, agent: this.#agent, signal };
    const call = request(options, (answer) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on("data", (chunk: Buffer) => {
        if (bytes < MAX_ANSWER_BYTES) chunks.push(chunk);
        bytes += chunk.length;
      });
      answer.on("error", reject);
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(chunks).toString("utf8", 0, Math.min(bytes, MAX_ANSWER_BYTES)),
        }),
      );
    });
    call.on("error", reject);
    call.end(body);
    return await promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** An error that says what was asked, and what the server said to it. */
export function refused(what: string, { status, body }: Answer): Error {
  const words = body.replace(/\s+/g, " ").trim().slice(0, MAX_WORDS);
  return new Error(`${what}: ${status}${words === "" ? "" : ` ${words}`}`);
}
