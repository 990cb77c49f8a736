// Follows one resource of an API server, come what may.
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { type KubernetesClient, parseJson } from "./client.ts";
import { KubernetesError } from "./errors.ts";
import { type ObjectEvent, ObjectLedger } from "./object-ledger.ts";
import { pause } from "./pause.ts";
import type { Shape } from "./protobuf.ts";
import { isProtobuf, protobufOrJson, readProtobufPage } from "./protobuf-list.ts";
import { isServed } from "./served.ts";
import { type RawObject, readListPage, readWatchLine } from "./watch-event.ts";
import { LineCutter } from "./watch-lines.ts";

const pageObjects = 500;
const listTimeoutMs = 60_000;
const maxListBytes = 256 * 1024 * 1024;
/** An object has 1.5 MiB in etcd; JSON writes bytes as more. */
const maxLineBytes = 16 * 1024 * 1024;
const openTimeoutMs = 30_000;
/**
 * A server that was asked for bookmarks sends one a minute: one and a half of nothing, and perhaps nobody is there. But one that
 * has just started has none to send of a resource that rests, so that silence alone is nothing to complain about.
 */
const silentMs = 90_000;
/** A watch that ends sooner has failed, whatever it says. */
const shortWatchMs = 1000;
const backoff = { baseMs: 100, maxMs: 5000 };
/** When a resource that the server does not have is looked for again: soon, for it may be about to come, then seldom. */
const absentBackoff = { baseMs: 1000, maxMs: 30_000 };
/** One that was there and is gone is believed gone after so many answers. */
const goneAnswers = 3;
/** After so many failures to watch from a version, that version is not trusted any more. */
const maxResumes = 3;

export type ListWatchEvent<T> =
  | ObjectEvent<T>
  /** A list is complete: what was told by now is all that there is. After every list; the first one matters. */
  | { readonly kind: "synced" }
  /** The server does not know the resource (its CRD is not there): nothing of it exists. Told once; `synced` ends it. */
  | { readonly kind: "absent" };

export interface ListWatchOptions<T> {
  readonly client: KubernetesClient;
  readonly logger: Logger;
  /** As in /apis/discovery.k8s.io/v1/endpointslices: of all namespaces. */
  readonly path: string;
  readonly labelSelector?: string;
  /** Ask for names, labels and annotations alone. */
  readonly metadataOnly?: boolean;
  /**
   * What `project` reads of an object, for lists in protobuf; undefined: lists come in JSON, as watches always do. Only
   * resources that are built into the API server have protobuf.
   */
  readonly shape?: Shape;
  /** The server may not know the resource. Otherwise that is one more failure that passes. */
  readonly optional?: boolean;
  /** What is kept of an object; undefined: as if it did not exist. Called once for each version of each object. */
  readonly project: (object: RawObject) => T | undefined;
  /** Called in the turn of the event loop in which the news came. */
  readonly onEvent: (event: ListWatchEvent<T>) => void;
}

/** `following`: what was told is what is there. `retrying`: it was, or nothing was told yet. */
export type ListWatchState = "retrying" | "following" | "absent";

/**
 * Lists a resource in pages, then watches it from that version on; for ever. Connections that drop, fall silent or bring nonsense,
 * servers that are busy, away or restarted: tried again after 0.1 to 5 s, or when the server says (Retry-After). Versions that
 * the server has forgotten (410): listed again, and only what differs is told. Never fails; starts at once.
 */
export class ListWatch<T> implements AsyncDisposable {
  readonly #options: ListWatchOptions<T>;
  readonly #logger: Logger;
  readonly #ledger: ObjectLedger<T>;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  /** Where the watch goes on; undefined: a list is due. */
  #resourceVersion: string | undefined;
  /** In a row, since a watch last brought something. */
  #failures = 0;
  #notFound = 0;
  #silences = 0;
  #isSynced = false;
  #state: ListWatchState = "retrying";
  #isLost = false;

  constructor(options: ListWatchOptions<T>) {
    this.#options = options;
    this.#logger = options.logger.child({ resource: options.path });
    this.#ledger = new ObjectLedger((object) => this.#project(object), options.onEvent);
    this.#running = this.#run();
  }

  get state(): ListWatchState {
    return this.#state;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed()) {
      try {
        if (this.#resourceVersion === undefined) await this.#list();
        await this.#watch();
      } catch (thrown) {
        if (this.#isClosed()) return;
        await pause(await this.#afterFailure(thrown), this.#closing.signal);
      }
    }
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #list(): Promise<void> {
    const { client, path, shape, onEvent } = this.#options;
    let continueToken: string | undefined;
    let expiries = 0;
    this.#ledger.startList();
    for (;;) {
      // Who is too slow for pages, time and again, takes all at once.
      const limit = expiries < 2 ? { limit: String(pageObjects) } : {};
      try {
        const answer = await client.requestBytes("GET", path, {
          query: { ...this.#query(), ...limit, ...(continueToken === undefined ? {} : { continue: continueToken }) },
          accept: shape === undefined ? this.#accept("List") : protobufOrJson,
          timeoutMs: listTimeoutMs,
          maxBytes: maxListBytes,
          signal: this.#closing.signal,
        });
        const isShaped = shape !== undefined && isProtobuf(answer);
        const page = isShaped ? readProtobufPage(answer, shape) : readListPage(parseJson(answer));
        this.#ledger.listed(page.objects);
        if (page.continueToken === undefined) {
          this.#ledger.endList();
          this.#resourceVersion = page.resourceVersion;
          this.#notFound = 0;
          this.#silences = 0;
          this.#isSynced = true;
          this.#state = "following";
          this.#found();
          onEvent({ kind: "synced" });
          return;
        }
        continueToken = page.continueToken;
      } catch (error) {
        if (!isExpired(error) || continueToken === undefined) throw error;
        continueToken = undefined;
        expiries += 1;
        this.#ledger.startList();
      }
    }
  }

  async #watch(): Promise<void> {
    const { client, path } = this.#options;
    const startedMs = performance.now();
    const answer = await client.open(path, {
      query: {
        ...this.#query(),
        watch: "1",
        allowWatchBookmarks: "true",
        resourceVersion: this.#resourceVersion ?? "",
        // Spread, so that a server's watches do not all end at once.
        timeoutSeconds: String(300 + Math.floor(Math.random() * 300)),
      },
      accept: this.#accept(""),
      timeoutMs: openTimeoutMs,
      signal: this.#closing.signal,
    });
    this.#state = "following";
    const lines = new LineCutter(maxLineBytes);
    const silence = setTimeout(() => {
      answer.destroy(new KubernetesError(0, "Silent", `the watch brought nothing for ${silentMs / 1000} s`));
    }, silentMs);
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        silence.refresh();
        for (const line of lines.push(chunk)) this.#take(line);
      }
    } finally {
      clearTimeout(silence);
    }
    if (performance.now() - startedMs < shortWatchMs)
      throw new KubernetesError(0, "ConnectionFailed", "the watch ended at once");
  }

  #take(line: string): void {
    const event = readWatchLine(line);
    switch (event.kind) {
      case "put":
        this.#ledger.put(event.object);
        this.#resourceVersion = event.object.resourceVersion;
        break;
      case "delete":
        this.#ledger.delete(event.object);
        this.#resourceVersion = event.object.resourceVersion;
        break;
      case "bookmark":
        this.#resourceVersion = event.resourceVersion;
        break;
    }
    this.#failures = 0;
    this.#silences = 0;
    this.#found();
  }

  #found(): void {
    if (this.#isLost) this.#logger.info("Follows the API server again");
    this.#isLost = false;
  }

  #project(object: RawObject): T | undefined {
    try {
      return this.#options.project(object);
    } catch (error) {
      // A bug of ours in one object must not stop the others.
      this.#logger.error({ err: error, object: object.key }, "Cannot read an object");
      return undefined;
    }
  }

  /** Draws conclusions. Returns after how many ms to try again. */
  async #afterFailure(thrown: unknown): Promise<number> {
    const error =
      thrown instanceof KubernetesError
        ? thrown
        : new KubernetesError(0, "ConnectionFailed", messageOf(thrown), { cause: thrown });
    if (error.reason === "Silent") this.#silences += 1;
    else this.#failures += 1;
    if (this.#state === "following") this.#state = "retrying";
    this.#logger.debug({ status: error.status, reason: error.reason, error: error.message }, "Starts anew");
    if (error.status === 404 && (await this.#isGone())) return this.#absent();
    if (this.#mustList(error)) {
      this.#logger.debug({ status: error.status, reason: error.reason }, "Lists the resource anew");
      this.#resourceVersion = undefined;
    }
    // One drop is nothing to talk about: watches end all the time.
    if (this.#failures >= 2 && !this.#isLost && this.#state !== "absent") {
      this.#isLost = true;
      const { status, reason, message } = error;
      this.#logger.warn({ status, reason, error: message }, "Cannot follow the API server, tries again");
    }
    return error.retryAfterMs ?? backoffMs(Math.max(1, this.#failures), backoff);
  }

  #mustList(error: KubernetesError): boolean {
    if (isExpired(error) || error.status === 400 || error.status === 404) return true;
    // A version from before etcd was restored is never reached: the server waits with us.
    if (error.reason === "Silent") return this.#silences >= 2;
    const saysNothingOfVersions = error.status === 429 || error.status === 503 || error.reason === "ConnectionFailed";
    return this.#failures >= maxResumes && !saysNothingOfVersions && error.reason !== "Timeout";
  }

  /** The server answered 404. */
  async #isGone(): Promise<boolean> {
    const { optional = false, client, path } = this.#options;
    this.#resourceVersion = undefined;
    this.#notFound += 1;
    if (!optional || (this.#isSynced && this.#notFound < goneAnswers)) return false;
    try {
      return !(await isServed(client, path, this.#closing.signal));
    } catch {
      // Who cannot be asked has not said that it is gone.
      return false;
    }
  }

  #absent(): number {
    if (this.#state !== "absent") {
      this.#logger.info("The API server does not have this resource; looks for it every 30 s");
      this.#state = "absent";
      this.#isSynced = false;
      this.#isLost = false;
      this.#ledger.startList();
      this.#ledger.endList();
      this.#options.onEvent({ kind: "absent" });
    }
    return backoffMs(this.#notFound, absentBackoff);
  }

  #query(): Readonly<Record<string, string>> {
    const { labelSelector } = this.#options;
    return labelSelector === undefined ? {} : { labelSelector };
  }

  #accept(suffix: "List" | ""): string {
    return this.#options.metadataOnly === true
      ? `application/json;as=PartialObjectMetadata${suffix};g=meta.k8s.io;v=v1`
      : "application/json";
  }
}

/** After the first failure (1) the base; then doubled each time, and spread over its upper half. */
function backoffMs(failures: number, { baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number }): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 16));
  return ceilingMs * (0.5 + Math.random() / 2);
}

function isExpired(thrown: unknown): boolean {
  return (
    thrown instanceof KubernetesError &&
    (thrown.status === 410 || thrown.reason === "Expired" || thrown.reason === "Gone")
  );
}
