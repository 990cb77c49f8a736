import type { RecordBody } from "@hedgerow/ledger";
import type { Position } from "@hedgerow/ledger/store";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import type { OutputDigests } from "./output-digests.ts";
import { PendingDecisions } from "./pending.ts";
import { keepFrom, type Resumed } from "./resume.ts";
import type { OutcomeLedger } from "./tail.ts";

/**
 * A request without a byte either way ends after 5 min (Envoy's stream_idle_timeout, which listeners of ours leave as it is); a
 * minute more, and nobody will say how it ended. An outcome that comes after all is recorded, and holds.
 */
const UNKNOWN_AFTER_MS = 6 * 60_000;
const SWEEP_MS = 10_000;
/** About 100 bytes each. */
const MOST_PENDING = 200_000;
const KEEP_MS = 5_000;

/** What one ledger knows of outcomes: decisions that wait for theirs, and lines of Envoy's log that were recorded. */
export class OutcomeBook implements OutcomeLedger {
  readonly #directory: string;
  readonly #append: (body: RecordBody) => Promise<void>;
  readonly #missed: (code: string) => void;
  readonly #tip: () => Position;
  readonly #outputs: OutputDigests;
  readonly #now: () => number;
  readonly #logger: Logger;
  readonly #unknownAfterMs: number;
  readonly #pending: PendingDecisions<Position>;
  /** Given up because there were too many, and not recorded yet. */
  readonly #owed = new Set<string>();
  readonly #lines: Set<string>;
  readonly #timer: NodeJS.Timeout;
  #keptAtMs = Number.NEGATIVE_INFINITY;
  #kept: Position | undefined;
  #sweeping = false;

  constructor(options: {
    readonly directory: string;
    readonly append: (body: RecordBody) => Promise<void>;
    readonly missed: (code: string) => void;
    /** The end of what is on disk. */
    readonly tip: () => Position;
    readonly resumed: Resumed;
    readonly outputs: OutputDigests;
    readonly now: () => number;
    readonly logger: Logger;
    readonly unknownAfterMs?: number;
    readonly mostPending?: number;
  }) {
    this.#directory = options.directory;
    this.#append = options.append;
    this.#missed = options.missed;
    this.#tip = options.tip;
    this.#outputs = options.outputs;
    this.#now = options.now;
    this.#logger = options.logger;
    this.#unknownAfterMs = options.unknownAfterMs ?? UNKNOWN_AFTER_MS;
    this.#pending = new PendingDecisions(options.mostPending ?? MOST_PENDING);
    this.#lines = options.resumed.lines;
    // Recorded by the first sweep: the ledger is not open to records yet.
    for (const { id, atMs, place } of options.resumed.decisions) this.#add(id, atMs, place);
    this.#timer = setInterval(() => void this.sweep(), SWEEP_MS);
    this.#timer.unref();
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** A decision is about to be appended: its outcome may come before the append resolves. */
  decided(id: string): void {
    const given = this.#add(id, this.#now(), this.#tip());
    if (given !== undefined) void this.#giveUp([given]);
  }

  /** It was not appended. */
  undecided(id: string): void {
    this.#pending.delete(id);
    this.#outputs.forget(id);
  }

  async append(body: RecordBody): Promise<void> {
    if (body.type !== "outcome") {
      await this.#append(body);
      return;
    }
    const { id, result } = body;
    const outputDigest = result === "answered" ? await this.#outputs.of(id) : undefined;
    await this.#append(outputDigest === undefined ? body : { ...body, outputDigest });
    this.#pending.delete(id);
    this.#owed.delete(id);
    if (result === "answered") this.#outputs.forget(id);
    else this.#outputs.giveUp(id);
  }

  hasLine(key: string): boolean {
    return this.#lines.delete(key);
  }

  missed(code: string): void {
    this.#missed(code);
  }

  async settled(caughtUp: boolean): Promise<void> {
    if (caughtUp) this.#lines.clear();
    const nowMs = performance.now();
    if (nowMs - this.#keptAtMs < KEEP_MS) return;
    this.#keptAtMs = nowMs;
    await this.#keep();
  }

  async envoyEnded(atMs: number): Promise<void> {
    await this.#giveUp(this.#pending.before(atMs));
  }

  /** Gives up those for whom nobody will say any more how they ended. */
  async sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      await this.#giveUp([...this.#owed, ...this.#pending.before(this.#now() - this.#unknownAfterMs)]);
    } finally {
      this.#sweeping = false;
    }
  }

  /** To be called when nothing is appended any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#keep();
  }

  #add(id: string, atMs: number, place: Position): string | undefined {
    const given = this.#pending.add(id, atMs, place);
    if (given !== undefined) this.#owed.add(given);
    return given;
  }

  async #giveUp(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => this.#unknown(id)));
  }

  async #unknown(id: string): Promise<void> {
    try {
      await this.append({ type: "outcome", id, result: "unknown" });
    } catch (error) {
      // It is still pending, or owed: the next sweep tries again.
      this.#logger.warn({ error: messageOf(error), decision: id }, "Could not record that an outcome is unknown");
    }
  }

  async #keep(): Promise<void> {
    const place = this.#pending.oldest ?? this.#tip();
    if (place.segment === this.#kept?.segment && place.offset === this.#kept.offset) return;
    try {
      await keepFrom(this.#directory, place);
      this.#kept = place;
    } catch (error) {
      // The former place is as good, and means more to read.
      this.#logger.warn({ error: messageOf(error) }, "Could not keep the place of outcomes");
    }
  }
}
