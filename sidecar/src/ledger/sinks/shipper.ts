import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LedgerWriter } from "@hedgerow/ledger/store";
import { backoffMs } from "../../backoff.ts";
import { messageOf, SidecarError } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { pause } from "../../pause.ts";
import { type Cursor, freshCursor, readCursor, writeCursor } from "./cursor.ts";
import { readCheckpoints, readStretch } from "./read-stretch.ts";
import { type Sink, SinkEmptied } from "./sink.ts";

/** A sink that is not required is at most this far behind, or 1 MiB. */
const CADENCE_MS = 1_000;
const CADENCE_BYTES = 1024 * 1024;
const RETRY = { baseMs: 200, maxMs: 10_000 };
/** Envoy gives a check 2 s: whoever waits for a required sink is told in time. */
const ANSWER_MS = 1_500;
/** How long a closing ledger waits for its sinks. */
const LAST_MS = 5_000;

/** What a shipper needs of the ledger. */
export type ShippedLedger = Pick<LedgerWriter, "id" | "directory" | "tip" | "onDurable" | "segments">;

export interface ShipperOptions {
  readonly name: string;
  /** Where the sink is; empty: nobody said. */
  readonly region: string;
  readonly required: boolean;
  readonly sink: Sink;
  /** Names what the sink is: of another, it has nothing yet. */
  readonly target: string;
  readonly ledger: ShippedLedger;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
}

interface Waiter {
  readonly seq: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Copies a ledger to one sink: reads what is on disk, never what is to be; ships, has it acknowledged, keeps its place. However far
 * behind, it holds one stretch of lines in memory. A sink that fails is tried again for ever.
 */
export class Shipper {
  readonly name: string;
  readonly region: string;
  readonly required: boolean;
  readonly target: string;
  readonly #sink: Sink;
  readonly #ledger: ShippedLedger;
  readonly #random: () => number;
  readonly #logger: Logger;
  readonly #path: string;
  readonly #stopping = new AbortController();
  readonly #giveUp = new AbortController();
  readonly #running: Promise<void>;
  readonly #unsubscribe: () => void;
  readonly #waiters = new Set<Waiter>();
  #cursor: Cursor | undefined;
  #keysDue = true;
  #emptied = false;
  #failing = false;
  #failures = 0;
  #woken = new AbortController();

  constructor(options: ShipperOptions) {
    this.name = options.name;
    this.region = options.region;
    this.required = options.required;
    this.target = options.target;
    this.#sink = options.sink;
    this.#ledger = options.ledger;
    this.#random = options.random;
    this.#logger = options.logger.child({ sink: options.name });
    this.#path = join(options.ledger.directory, "sinks", `${options.name}.json`);
    this.#unsubscribe = options.ledger.onDurable(() => {
      if (this.required || this.#behindBytes() >= CADENCE_BYTES) this.wake();
    });
    this.#running = this.#run();
  }

  /** Records that it has not acknowledged. */
  get lagRecords(): number {
    return Math.max(0, this.#ledger.tip().seq - (this.#cursor?.seq ?? -1));
  }

  /** Attempts that failed since the agent started. */
  get failures(): number {
    return this.#failures;
  }

  /** True from an attempt that failed to one that did not. */
  get failing(): boolean {
    return this.#failing;
  }

  /** True where the sink has all of a closed segment. */
  hasSegment(segment: number): boolean {
    return this.#cursor !== undefined && this.#cursor.segment > segment;
  }

  /** There is something to ship, or a key to forget. */
  wake(keys = false): void {
    this.#keysDue ||= keys;
    this.#woken.abort();
  }

  /** Throws (sink_unavailable) where the last attempt failed: nobody should wait for it. */
  expectWorking(): void {
    if (this.#failing) throw this.#unavailable();
  }

  /** Resolves once the sink has the record. Rejects (sink_unavailable) where it fails, or does not say so in 1.5 s. */
  async acknowledged(seq: number): Promise<void> {
    if (this.#cursor !== undefined && this.#cursor.seq >= seq) return;
    this.expectWorking();
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const waiter: Waiter = { seq, resolve: () => resolve(undefined), reject };
    const late = setTimeout(() => reject(this.#unavailable()), ANSWER_MS);
    this.#waiters.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(late);
      this.#waiters.delete(waiter);
    }
  }

  /** Ships what there is, for 5 s at most, unless in a hurry; the rest is for whoever comes next. */
  async close(hurry = false): Promise<void> {
    this.#unsubscribe();
    if (hurry) this.#giveUp.abort();
    this.#stopping.abort();
    this.#woken.abort();
    const late = setTimeout(() => this.#giveUp.abort(), LAST_MS);
    await this.#running;
    clearTimeout(late);
    this.#sink.close();
  }

  async #run(): Promise<void> {
    let inARow = 0;
    while (!this.#giveUp.signal.aborted) {
      try {
        const moved = await this.#shipNext();
        if (this.#failing) this.#logger.info("Sink takes records again");
        this.#failing = false;
        inARow = 0;
        if (!moved && this.#stopping.signal.aborted) return;
        if (!moved || !this.#hurries()) await this.#rest();
      } catch (error) {
        inARow = this.#fail(error, inARow);
        await pause(backoffMs(inARow, RETRY, this.#random()), this.#giveUp.signal);
      }
    }
  }

  #hurries(): boolean {
    return this.required || this.#stopping.signal.aborted || this.#behindBytes() >= CADENCE_BYTES;
  }

  async #rest(): Promise<void> {
    this.#woken = new AbortController();
    // What came while the last was shipped has woken nobody.
    if (this.#hurries() && this.lagRecords > 0) return;
    await pause(CADENCE_MS, AbortSignal.any([this.#woken.signal, this.#stopping.signal]));
  }

  #fail(error: unknown, inARow: number): number {
    this.#failing = true;
    this.#failures += 1;
    if (error instanceof SinkEmptied) {
      this.#emptied = true;
      this.#cursor = undefined;
    }
    for (const waiter of this.#waiters) waiter.reject(this.#unavailable());
    const fields = { error: messageOf(error), lag_records: this.lagRecords, required: this.required };
    // Said once at full voice; a sink that is down for a night fills no log.
    if (inARow === 0) this.#logger.error(fields, "Sink does not take records, trying again");
    else this.#logger.debug(fields, "Sink still does not take records");
    return inARow + 1;
  }

  #unavailable(): SidecarError {
    return new SidecarError("sink_unavailable", `sink ${this.name} has not acknowledged the record`);
  }

  /** True where something was shipped. */
  async #shipNext(): Promise<boolean> {
    this.#cursor ??= await this.#begin();
    const { segment, offset, planned } = this.#cursor;
    const { id, directory } = this.#ledger;
    if (this.#keysDue) await this.#shipKeys();
    const until = planned === undefined ? this.#ledger.tip() : { segment, offset: planned };
    const stretch = await readStretch(directory, id, { segment, offset }, until);
    if (stretch !== undefined) {
      // The next segment has a key of its own.
      if (stretch.segment !== segment) await this.#shipKeys();
      const next = stretch.offset + stretch.bytes.length;
      if (planned !== next) await this.#keep({ segment: stretch.segment, offset: stretch.offset, planned: next });
      await this.#sink.ship(stretch);
      await this.#keep({ offset: next, planned: undefined, seq: stretch.last });
      for (const waiter of this.#waiters) if (waiter.seq <= stretch.last) waiter.resolve();
    }
    return (await this.#shipCheckpoints()) || stretch !== undefined;
  }

  async #shipCheckpoints(): Promise<boolean> {
    const { id, directory } = this.#ledger;
    const checkpoints = await readCheckpoints(directory, id, this.#cursor?.checkpoints ?? 0);
    if (checkpoints === undefined) return false;
    await this.#sink.shipCheckpoints(checkpoints);
    await this.#keep({ checkpoints: checkpoints.offset + checkpoints.bytes.length });
    return true;
  }

  async #begin(): Promise<Cursor> {
    const { id, directory } = this.#ledger;
    await mkdir(join(directory, "sinks"), { recursive: true, mode: 0o700 });
    const oldest = (await this.#ledger.segments())[0]?.segment ?? 0;
    const kept = this.#emptied ? undefined : await readCursor(this.#path, id, this.target);
    const cursor = kept !== undefined && kept.segment >= oldest ? kept : freshCursor(id, this.target, oldest);
    this.#keysDue = true;
    if (cursor.begun) return cursor;
    await this.#sink.begin(id, await readFile(join(directory, "ledger.json")));
    const begun = { ...cursor, begun: true };
    await writeCursor(this.#path, begun);
    this.#emptied = false;
    return begun;
  }

  /** Wrapped data keys as they are now: new ones, those that were wrapped anew, and none that was destroyed. */
  async #shipKeys(): Promise<void> {
    this.#keysDue = false;
    const { id, directory } = this.#ledger;
    try {
      const keys = { ...this.#cursor?.keys };
      const present = new Set<string>();
      for (const name of await namesIn(join(directory, "keys"))) {
        const kid = /^([0-9a-f]{16})\.jwe$/.exec(name)?.[1];
        if (kid === undefined) continue;
        present.add(kid);
        const wrapped = await readFile(join(directory, "keys", name));
        const digest = createHash("sha256").update(wrapped).digest("hex");
        const before = keys[kid];
        if (before?.digest === digest) continue;
        const version = await this.#sink.putKey(id, kid, wrapped);
        // Wrapped with a key that is no longer to be trusted.
        if (before !== undefined && before.version !== version) await this.#sink.deleteKey(id, kid, before.version);
        keys[kid] = { digest, version };
        await this.#keep({ keys: { ...keys } });
      }
      for (const [kid, { version }] of Object.entries(keys)) {
        if (present.has(kid)) continue;
        await this.#sink.deleteKey(id, kid, version);
        delete keys[kid];
        await this.#keep({ keys: { ...keys } });
      }
    } catch (error) {
      this.#keysDue = true;
      throw error;
    }
  }

  async #keep(changes: Partial<Cursor>): Promise<void> {
    if (this.#cursor === undefined) return;
    this.#cursor = { ...this.#cursor, ...changes };
    await writeCursor(this.#path, this.#cursor);
  }

  #behindBytes(): number {
    if (this.#cursor === undefined) return 0;
    const { segment, offset } = this.#ledger.tip();
    return segment === this.#cursor.segment ? offset - this.#cursor.offset : CADENCE_BYTES;
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    // Not encrypted: there are no keys.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
