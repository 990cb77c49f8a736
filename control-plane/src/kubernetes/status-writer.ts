// Conditions on their way into the objects' statuses: the leader writes what differs.
import { z } from "zod";
import { RateLimit } from "../ca/rate-limit.ts";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { ObjectStatusInit } from "../status/describe-status.ts";
import { type KubernetesClient, KubernetesError } from "./client.ts";
import { pause } from "./pause.ts";
import {
  isOutdated,
  STATUS_PLACES,
  type StandingStatus,
  type StatusPlace,
  wantedRoute,
  wantedStatus,
} from "./status-places.ts";

/** Writes of one mesh, whatever happens in it: an API server has other clients. */
const WRITE_LIMIT = { perSecond: 20, burst: 20, maxKeys: 1 };
const REST_MS = 50;
const WRITE_MS = 5_000;
const BACKOFF_MS = { first: 1_000, most: 60_000 };
/** Somebody else may have written meanwhile. */
const RESYNC_MS = 10 * 60_000;
const PAGE = "500";
const MAX_PAGE_BYTES = 64 * 1024 * 1024;

export type StatusWriteOutcome = "written" | "failed";

export interface StatusWriterDeps {
  readonly client: Pick<KubernetesClient, "request" | "apply">;
  readonly isLeader: () => boolean;
  /** ms of a clock that only goes forward. */
  readonly monotonicMs: () => number;
  readonly counted: (outcome: StatusWriteOutcome) => void;
  readonly logger: Logger;
}

const page = z.looseObject({
  metadata: z.looseObject({ continue: z.string().default("") }).default({ continue: "" }),
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({ namespace: z.string(), name: z.string() }),
      status: z.unknown().optional(),
    }),
  ),
});

interface Wanted {
  readonly key: string;
  readonly object: ObjectStatusInit;
  readonly place: StatusPlace;
}

/**
 * Writes the newest conditions that it was given, at most 20 objects a second, none that stands there already. A leader
 * first reads what stands, so that it goes on where the one before stopped; it does so again every ten minutes. What fails
 * is tried again after 1 to 60 s. Keeps nothing but the newest state of each object, so nothing grows while the API server is away.
 */
export class StatusWriter implements AsyncDisposable {
  readonly #deps: StatusWriterDeps;
  readonly #limit = new RateLimit(WRITE_LIMIT);
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #wanted: ReadonlyMap<string, Wanted> = new Map();
  /** Undefined until what stands was read under our own leadership. */
  #standing: Map<string, StandingStatus> | undefined;
  #readAtMs = 0;
  /** Objects whose last write failed: not again before then. */
  readonly #held = new Map<string, { readonly untilMs: number; readonly waitMs: number }>();
  /** Something came that the turn under way may not have seen. */
  #isNews = false;
  #wake: () => void = () => {};

  constructor(deps: StatusWriterDeps) {
    this.#deps = deps;
    this.#running = this.#run();
  }

  /** What is to stand from now on. Objects without a status of ours are left out. */
  offer(objects: readonly ObjectStatusInit[]): void {
    this.#wanted = new Map(
      objects.flatMap((object): [string, Wanted][] => {
        const place = STATUS_PLACES.get(object.kind ?? "");
        const key = `${object.kind}/${object.namespace}/${object.name}`;
        return place === undefined ? [] : [[key, { key, object, place }]];
      }),
    );
    // An object that comes back under its name begins anew.
    for (const key of this.#held.keys()) if (!this.#wanted.has(key)) this.#held.delete(key);
    for (const key of this.#standing?.keys() ?? []) if (!this.#wanted.has(key)) this.#standing?.delete(key);
    this.#isNews = true;
    this.#wake();
  }

  /** Leadership came or went. */
  leadershipChanged(): void {
    this.#standing = undefined;
    this.#held.clear();
    this.#isNews = true;
    this.#wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let waitMs = 0;
    do {
      this.#isNews = false;
      try {
        waitMs = await this.#turn();
      } catch (error) {
        this.#deps.logger.warn({ cause: messageOf(error) }, "Failed to read the statuses that stand");
        waitMs = BACKOFF_MS.first * 5;
      }
    } while (await this.#rest(waitMs, signal));
  }

  /** Until something is offered, at most `ms`. */
  async #rest(ms: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#isNews) return true;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await pause(ms, AbortSignal.any([woken.signal, signal]));
    return !this.#stop.signal.aborted;
  }

  /** Does what there is to do; returns how long there is nothing more, ms. */
  async #turn(): Promise<number> {
    const { isLeader, monotonicMs } = this.#deps;
    if (!isLeader() || this.#wanted.size === 0) return RESYNC_MS;
    if (this.#standing === undefined || monotonicMs() - this.#readAtMs > RESYNC_MS) await this.#read();
    for (const { key } of this.#wanted.values()) {
      // As it is by now.
      const wanted = this.#wanted.get(key);
      const standing = this.#standing;
      if (this.#stop.signal.aborted || standing === undefined || wanted === undefined) continue;
      const isHeld = (this.#held.get(key)?.untilMs ?? 0) > monotonicMs();
      if (isHeld || !isOutdated(wanted.object, standing.get(key))) continue;
      while (!this.#limit.take("", monotonicMs())) if (!(await pause(REST_MS, this.#stop.signal))) return 0;
      if (!isLeader()) return RESYNC_MS;
      await this.#write(wanted, standing);
    }
    const untilMs = [...this.#held.values()].reduce(
      (soonest, held) => Math.min(soonest, held.untilMs),
      Number.POSITIVE_INFINITY,
    );
    return Math.max(0, Math.min(RESYNC_MS, untilMs - monotonicMs()));
  }

  async #write({ key, object, place }: Wanted, standing: Map<string, StandingStatus>): Promise<void> {
    const { logger, counted, monotonicMs } = this.#deps;
    try {
      const written = await this.#apply(object, place, standing.get(key));
      standing.set(key, written);
      this.#held.delete(key);
      counted("written");
    } catch (error) {
      const failed = this.#held.get(key);
      const waitMs = Math.min(BACKOFF_MS.most, (failed?.waitMs ?? BACKOFF_MS.first / 2) * 2);
      this.#held.set(key, { untilMs: monotonicMs() + waitMs, waitMs });
      // It was deleted, and the view will say so; or somebody else wrote the route between our look and our word.
      if (error instanceof KubernetesError && (error.status === 404 || error.status === 409)) return;
      counted("failed");
      logger.warn({ object: key, cause: messageOf(error) }, "Failed to write a status");
    }
  }

  async #apply(
    object: ObjectStatusInit,
    { apiVersion, group, plural }: StatusPlace,
    standing: StandingStatus | undefined,
  ): Promise<StandingStatus> {
    const { kind = "", namespace = "", name = "" } = object;
    const path = `${group}/namespaces/${namespace}/${plural}/${name}`;
    const settings = { signal: this.#stop.signal, timeoutMs: WRITE_MS };
    if (kind !== "HTTPRoute") {
      const status = wantedStatus(object, standing);
      await this.#deps.client.apply(
        `${path}/status`,
        { apiVersion, kind, metadata: { name, namespace }, status },
        settings,
      );
      return status;
    }
    // The list of parents is one field to the API server, so what others wrote there is looked at and kept; the version
    // makes sure that it still is what was looked at.
    const { resourceVersion, others, ours } = wantedRoute(
      object,
      await this.#deps.client.request("GET", path, settings),
    );
    const metadata = { name, namespace, resourceVersion };
    const status = { parents: [...others, ...ours] };
    await this.#deps.client.apply(`${path}/status`, { apiVersion, kind, metadata, status }, settings);
    return ours;
  }

  async #read(): Promise<void> {
    const standing = new Map<string, StandingStatus>();
    for (const [kind, place] of STATUS_PLACES) {
      if (![...this.#wanted.values()].some(({ object }) => object.kind === kind)) continue;
      let next = "";
      do {
        const query = { limit: PAGE, ...(next === "" ? {} : { continue: next }) };
        const settings = { query, maxBytes: MAX_PAGE_BYTES, signal: this.#stop.signal };
        const answer = page.parse(await this.#deps.client.request("GET", `${place.group}/${place.plural}`, settings));
        for (const { metadata, status } of answer.items) {
          const found = place.standing(status);
          if (found !== undefined) standing.set(`${kind}/${metadata.namespace}/${metadata.name}`, found);
        }
        next = answer.metadata.continue;
      } while (next !== "");
    }
    if (!this.#deps.isLeader()) return;
    this.#standing = standing;
    this.#readAtMs = this.#deps.monotonicMs();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}
