import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { messageOf, systemCode } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { answerError, retryAfterMs } from "./answer.ts";
import { CredentialStore } from "./credentials.ts";
import { KubernetesError } from "./errors.ts";
import type { KubernetesAccess } from "./kubeconfig.ts";
import { pause } from "./pause.ts";

export { KubernetesError } from "./errors.ts";

const defaultTimeoutMs = 10_000;
const defaultMaxBytes = 4 * 1024 * 1024;
/** How often a server that is busy is asked again, whatever the time that is left. */
const maxAttempts = 10;
/** Field manager of everything that we write. */
const fieldManager = "hedgerow-control-plane";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface RequestSettings {
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default: application/json. */
  readonly contentType?: string;
  /** Default: application/json. */
  readonly accept?: string;
  /** For everything together, waiting for a busy server included. Default 10 s. */
  readonly timeoutMs?: number;
  /** Of the answer. Default 4 MiB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * A client of one API server: JSON over HTTP/1.1 with kept connections. The server's certificate is always verified;
 * credentials in files are read again at least every minute, and at once when they are refused.
 */
export class KubernetesClient implements Disposable {
  readonly #access: KubernetesAccess;
  readonly #credentials: CredentialStore;
  readonly #logger: Logger;
  // A load balancer before the API server forgets idle connections after minutes, silently: we forget them first.
  readonly #agent = new Agent({ keepAlive: true, keepAliveMsecs: 15_000, maxFreeSockets: 16, timeout: 60_000 });

  constructor(access: KubernetesAccess, { logger }: { readonly logger: Logger }) {
    this.#access = access;
    this.#logger = logger;
    this.#credentials = new CredentialStore(access);
  }

  /**
   * One question, one answer. A server that is busy (429) is asked again when it says, while time is left. Throws
   * KubernetesError alone.
   */
  async request(method: Method, path: string, settings: RequestSettings = {}): Promise<unknown> {
    return parseJson(await this.requestBytes(method, path, settings));
  }

  /** As `request`, for an answer that may not be JSON. */
  async requestBytes(method: Method, path: string, settings: RequestSettings = {}): Promise<Buffer> {
    const { timeoutMs = defaultTimeoutMs, maxBytes = defaultMaxBytes, signal } = settings;
    const deadline = performance.now() + timeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    for (let attempt = 1; ; attempt++) {
      try {
        return await readBytes(await this.#send(method, path, settings, either), maxBytes);
      } catch (thrown) {
        const error = thrown instanceof KubernetesError ? thrown : this.#failed(thrown, method, path, signal, timeout);
        const waitMs = error.status === 429 ? (error.retryAfterMs ?? 1000) : undefined;
        if (waitMs === undefined || attempt === maxAttempts || performance.now() + waitMs > deadline) throw error;
        this.#logger.debug({ method, path, wait_ms: waitMs }, "API server is busy");
        if (!(await pause(waitMs, either))) throw this.#failed(error, method, path, signal, timeout);
      }
    }
  }

  /** Server-side apply under our field manager; takes over fields that others own. Throws KubernetesError alone. */
  apply(path: string, object: unknown, settings: Omit<RequestSettings, "body" | "contentType"> = {}): Promise<unknown> {
    return this.request("PATCH", path, {
      ...settings,
      query: { ...settings.query, fieldManager, force: "true" },
      body: object,
      // JSON is YAML.
      contentType: "application/apply-patch+yaml",
    });
  }

  /**
   * A GET whose answer does not end: a watch. Resolves with the answer once its head is there, at most after `timeoutMs`
   * (default 10 s); from then on only `signal` ends it. Who has it reads it, or destroys it. Throws KubernetesError alone.
   */
  async open(
    path: string,
    settings: Omit<RequestSettings, "body" | "contentType" | "maxBytes">,
  ): Promise<IncomingMessage> {
    const { timeoutMs = defaultTimeoutMs, signal } = settings;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    const either = signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]);
    try {
      return await this.#send("GET", path, settings, either);
    } catch (thrown) {
      throw thrown instanceof KubernetesError ? thrown : this.#failed(thrown, "GET", path, signal, timeout.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends every connection: what is under way fails with status 0. */
  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** Resolves with an answer of 2xx alone. */
  async #send(method: Method, path: string, settings: RequestSettings, signal: AbortSignal): Promise<IncomingMessage> {
    signal.throwIfAborted();
    const { token, ...tls } = await this.#credentials.read();
    const { body, contentType = "application/json", accept = "application/json", query = {} } = settings;
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const search = new URLSearchParams(query).toString();
    const options: RequestOptions = {
      agent: this.#agent,
      host: this.#access.host,
      port: this.#access.port,
      path: `${this.#access.pathPrefix}${path}${search === "" ? "" : `?${search}`}`,
      method,
      ...tls,
      ...(this.#access.serverName === undefined ? {} : { servername: this.#access.serverName }),
      minVersion: "TLSv1.2",
      signal,
      headers: {
        accept,
        "user-agent": fieldManager,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(payload === undefined ? {} : { "content-type": contentType, "content-length": payload.length }),
      },
    };
    const answer = await exchange(options, payload);
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    if (status === 401) this.#credentials.forget();
    const text = (await readBytes(answer, defaultMaxBytes)).toString();
    throw answerError(status, text, retryAfterMs(answer.headers["retry-after"]));
  }

  #failed(
    thrown: unknown,
    method: Method,
    path: string,
    signal: AbortSignal | undefined,
    timeout: AbortSignal,
  ): KubernetesError {
    const what = `${method} ${path}`;
    if (signal?.aborted === true) return new KubernetesError(0, "Aborted", `${what}: aborted`, { cause: thrown });
    if (timeout.aborted) return new KubernetesError(0, "Timeout", `${what}: no answer in time`, { cause: thrown });
    return new KubernetesError(0, "ConnectionFailed", `${what}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** Sends once; a second time where a kept connection turned out to be closed, and asking twice does no harm. */
function exchange(options: RequestOptions, payload: Buffer | undefined, mayRepeat = true): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(options);
    request.on("response", resolve);
    request.on("error", (error) => {
      const code = systemCode(error);
      const wasClosed = request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE");
      if (mayRepeat && wasClosed && options.method !== "POST") resolve(exchange(options, payload, false));
      else reject(error);
    });
    request.end(payload);
  });
}

async function readBytes(answer: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Leaving the loop destroys the answer and its connection.
    if (bytes > maxBytes) throw new KubernetesError(0, "BadAnswer", `answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  if (!answer.complete) throw new KubernetesError(0, "ConnectionFailed", "answer was cut short");
  return Buffer.concat(chunks, bytes);
}

/** Throws KubernetesError BadAnswer. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new KubernetesError(0, "BadAnswer", `answer is not JSON: ${messageOf(error)}`, { cause: error });
  }
}
