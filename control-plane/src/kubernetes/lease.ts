// Who of the replicas writes: a Lease (coordination.k8s.io/v1), as client-go's leader election keeps one.
import { z } from "zod";
import { messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { type KubernetesClient, KubernetesError } from "./client.ts";
import { pause } from "./pause.ts";

export interface LeaseTimes {
  /** Nobody takes a lease over before it has stood still for this long, by the watcher's own clock. */
  readonly durationMs: number;
  /** Who can't renew stops leading this long after it began its last good renewal: earlier than anybody may take over. */
  readonly deadlineMs: number;
  readonly renewMs: number;
  /** How often those who wait look. */
  readonly lookMs: number;
}

const TIMES: LeaseTimes = { durationMs: 8_000, deadlineMs: 6_000, renewMs: 2_000, lookMs: 1_000 };
/** A request that takes longer than this is of no use to anybody. */
const REQUEST_MS = 2_000;

export interface LeaseDeps {
  readonly client: Pick<KubernetesClient, "request">;
  readonly namespace: string;
  readonly name: string;
  /** Tells one process from every other, one that ran in the same pod before it included. */
  readonly identity: string;
  /** ms of a clock that only goes forward. */
  readonly monotonicMs: () => number;
  /** Unix ms; shown in the Lease, never compared. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly onChange: (isLeader: boolean) => void;
  readonly times?: LeaseTimes;
}

const leaseShape = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
      acquireTime: z.string().nullish(),
    })
    .default({}),
});
type Lease = z.infer<typeof leaseShape>;

/**
 * Stands for election until it is disposed of, which gives the lease away at once. Of any number of these at most one leads
 * at any moment, as long as their clocks run equally fast: they need not show the same time.
 */
export class LeaderElection implements AsyncDisposable {
  readonly #deps: LeaseDeps;
  readonly #times: LeaseTimes;
  readonly #path: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** Leading ends then unless it is renewed before; of a monotonic clock. */
  #untilMs = Number.NEGATIVE_INFINITY;
  #wasLeader = false;
  #deadline: NodeJS.Timeout | undefined;
  /** What was last seen, and since when it stands so. */
  #seen: { readonly lease: Lease; readonly sinceMs: number } | undefined;

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
    this.#times = deps.times ?? TIMES;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${deps.namespace}/leases`;
    this.#running = this.#run();
  }

  /** By the clock at the moment of asking. */
  get isLeader(): boolean {
    return this.#deps.monotonicMs() < this.#untilMs;
  }

  async #run(): Promise<void> {
    const { logger } = this.#deps;
    const { signal } = this.#stop;
    let waitMs = 0;
    let failuresInARow = 0;
    while (await pause(waitMs, signal)) {
      try {
        await this.#turn();
        failuresInARow = 0;
        waitMs = this.isLeader ? this.#times.renewMs : this.#untilExpiryMs();
      } catch (error) {
        // Losing a race is everyday life; a failure that lasts leaves the statuses to others, or to nobody.
        failuresInARow += 1;
        logger[failuresInARow === 3 ? "warn" : "debug"]({ cause: messageOf(error) }, "Failed to look after the lease");
        waitMs = this.#times.lookMs;
      }
    }
  }

  /** At most `lookMs`; less where the lease that is watched runs out before. */
  #untilExpiryMs(): number {
    const { lookMs, durationMs } = this.#times;
    if (this.#seen === undefined) return lookMs;
    const leftMs = this.#seen.sinceMs + durationMs - this.#deps.monotonicMs();
    // Whatever failed a moment ago is not tried again at once.
    return leftMs <= 0 ? lookMs : Math.min(lookMs, leftMs + 1);
  }

  async #turn(): Promise<void> {
    const { identity, monotonicMs } = this.#deps;
    const lease = (this.isLeader ? this.#seen?.lease : undefined) ?? (await this.#look());
    const startMs = monotonicMs();
    if (lease === undefined) return this.#took(await this.#create(), startMs);
    const holder = lease.spec.holderIdentity ?? "";
    const standsMs = startMs - (this.#seen?.sinceMs ?? startMs);
    if (holder !== "" && holder !== identity && standsMs < this.#times.durationMs) return this.#stepDown();
    this.#took(await this.#write(lease, identity), startMs);
  }

  async #look(): Promise<Lease | undefined> {
    const { monotonicMs } = this.#deps;
    const lease = await this.#get();
    if (lease === undefined) this.#seen = undefined;
    else if (lease.metadata.resourceVersion !== this.#seen?.lease.metadata.resourceVersion)
      this.#seen = { lease, sinceMs: monotonicMs() };
    return lease;
  }

  /** Another holds it: nobody but a person who edited the Lease can have brought that about while we led. */
  #stepDown(): void {
    this.#untilMs = Number.NEGATIVE_INFINITY;
    this.#tell();
  }

  /** A renewal counts from before it was sent: whoever watches saw it later. */
  #took(lease: Lease, startMs: number): void {
    const { monotonicMs } = this.#deps;
    this.#seen = { lease, sinceMs: monotonicMs() };
    if (this.#stop.signal.aborted) return;
    this.#untilMs = startMs + this.#times.deadlineMs;
    this.#tell();
  }

  #tell(): void {
    clearTimeout(this.#deadline);
    // A timer counts from the start of its turn of the event loop, and may come early: whoever still leads waits again.
    if (this.isLeader)
      this.#deadline = setTimeout(() => this.#tell(), this.#untilMs - this.#deps.monotonicMs() + 1).unref();
    const { isLeader } = this;
    if (isLeader === this.#wasLeader) return;
    this.#wasLeader = isLeader;
    this.#deps.logger.info({ lease: this.#deps.name }, isLeader ? "Became leader" : "Stopped being leader");
    this.#deps.onChange(isLeader);
  }

  async #get(): Promise<Lease | undefined> {
    try {
      return leaseShape.parse(await this.#request("GET", `${this.#path}/${this.#deps.name}`));
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #create(): Promise<Lease> {
    const { name, identity } = this.#deps;
    const spec = this.#spec(undefined, identity);
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name }, spec };
    return leaseShape.parse(await this.#request("POST", this.#path, body));
  }

  /** Fails with 409 where the lease is no longer as it was seen. */
  async #write(lease: Lease, holder: string): Promise<Lease> {
    const body = { ...lease, spec: this.#spec(lease, holder) };
    try {
      return leaseShape.parse(await this.#request("PUT", `${this.#path}/${this.#deps.name}`, body));
    } catch (error) {
      // It may have been written all the same; what stands there now is looked at before the next try.
      this.#seen = undefined;
      throw error;
    }
  }

  #spec(lease: Lease | undefined, holder: string) {
    const time = new Date(this.#deps.now()).toISOString().replace("Z", "000Z");
    const isSame = lease?.spec.holderIdentity === holder;
    const transitions = lease?.spec.leaseTransitions ?? 0;
    return {
      holderIdentity: holder,
      leaseDurationSeconds: Math.ceil(this.#times.durationMs / 1000),
      acquireTime: isSame ? (lease.spec.acquireTime ?? time) : time,
      renewTime: time,
      leaseTransitions: isSame || lease === undefined || holder === "" ? transitions : transitions + 1,
    };
  }

  #request(method: "GET" | "POST" | "PUT", path: string, body?: unknown): Promise<unknown> {
    const settings = { timeoutMs: REQUEST_MS, ...(body === undefined ? {} : { body }) };
    return this.#deps.client.request(method, path, settings);
  }

  /** Stops leading at once, then gives the lease away, so that nobody has to wait for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#deadline);
    await this.#running;
    this.#stepDown();
    const lease = this.#seen?.lease;
    if (lease?.spec.holderIdentity !== this.#deps.identity) return;
    try {
      await this.#write(lease, "");
    } catch (error) {
      this.#deps.logger.debug({ cause: messageOf(error) }, "Failed to give the lease away");
    }
  }
}
