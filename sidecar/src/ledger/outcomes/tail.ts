import type { RecordBody } from "@hedgerow/ledger";
import { messageOf } from "../../errors.ts";
import type { Logger } from "../../logger.ts";
import { pause } from "../../pause.ts";
import type { LogBatch } from "./log-file.ts";
import { LogFollower } from "./log-follower.ts";
import { lineKey, type OutcomeLine, readOutcomeLine } from "./outcome-line.ts";

/** With the half second for which Envoy gathers lines: an outcome is recorded within a second. */
const POLL_MS = 250;
const RETRY_MS = 1_000;
/** How often the log is kept from growing while a ledger takes nothing. */
const BOUND_MS = 1_000;
/** How long a stopping agent tries to record what Envoy last wrote. */
const LAST_MS = 5_000;

/** A ledger as its outcomes see it. */
export interface OutcomeLedger {
  /** Resolves once the record is in the ledger as its policy asks; copies follow. */
  append(body: RecordBody): Promise<void>;
  /** True where an agent before this one recorded the line of this key and died before it could keep its position. */
  hasLine(key: string): boolean;
  /** Answered without a record. */
  missed(code: string): void;
  /** What was read is recorded, and the position kept; `caughtUp`: up to the log's end. */
  settled(caughtUp: boolean): Promise<void>;
  /** The Envoy that was there until then says nothing more: decisions from before it ended have no outcome. */
  envoyEnded(atMs: number): Promise<void>;
}

export interface OutcomeLedgers {
  /** Where a line belongs: the ledger that its route names, else that of its port. */
  find(line: { readonly ledger?: string; readonly port: number }): OutcomeLedger | undefined;
  all(): Iterable<OutcomeLedger>;
}

/**
 * Records what Envoy's log says: outcomes, what Envoy refused by itself, connections that never became requests.
 *
 * Each line that Envoy wrote is recorded once, whenever the agent dies: its position is kept after the records are in the ledger, and
 * what was recorded after the last position is known from the ledger itself. A ledger that can't be written is tried again; lines wait in
 * Envoy's file, on disk, not here; as many as LogFollower keeps.
 */
export class OutcomeTail {
  readonly #follower: LogFollower;
  readonly #ledgers: OutcomeLedgers;
  readonly #now: () => number;
  readonly #logger: Logger;
  readonly #stopping = new AbortController();
  readonly #giveUp = new AbortController();
  #running: Promise<void> | undefined;
  #endedAtMs: number | undefined;
  #homeless = 0;

  constructor(options: {
    /** Envoy's log. */
    readonly path: string;
    /** Where the position is kept: with the ledgers. */
    readonly positionPath: string;
    readonly reopen: () => Promise<void>;
    readonly ledgers: OutcomeLedgers;
    readonly now: () => number;
    readonly logger: Logger;
    readonly rotateBytes?: number;
  }) {
    this.#follower = new LogFollower(options);
    this.#ledgers = options.ledgers;
    this.#now = options.now;
    this.#logger = options.logger;
  }

  /** To be called once the ledgers are open: a line whose ledger is not there is lost to it. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Lines that belonged to no ledger. */
  get homeless(): number {
    return this.#homeless;
  }

  /** Envoy ended, or another was started: what it had not written yet will never be. */
  envoyEnded(): void {
    this.#endedAtMs = this.#now();
  }

  /** Records what is there, then ends. To be called after Envoy has ended, before the ledgers are closed. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const late = setTimeout(() => this.#giveUp.abort(), LAST_MS);
    await this.#running;
    clearTimeout(late);
    await this.#follower[Symbol.asyncDispose]();
  }

  async #run(): Promise<void> {
    let failing = false;
    while (!this.#giveUp.signal.aborted) {
      const last = this.#stopping.signal.aborted;
      try {
        await this.#readAll();
        failing = false;
      } catch (error) {
        if (!failing) this.#logger.error({ error: messageOf(error) }, "Could not follow Envoy's log, trying again");
        failing = true;
      }
      if (last && !failing) return;
      await pause(failing ? RETRY_MS : POLL_MS, failing ? this.#giveUp.signal : this.#stopping.signal);
    }
  }

  async #readAll(): Promise<void> {
    // Read before: lines that come from now on are of the next Envoy.
    const endedAtMs = this.#endedAtMs;
    for (let batch = await this.#follower.read(); batch !== undefined; batch = await this.#follower.read()) {
      await this.#record(batch);
      if (this.#giveUp.signal.aborted) return;
      await this.#follower.keep(batch);
      await this.#settle(false);
    }
    await this.#settle(true);
    if (endedAtMs === undefined) return;
    await Promise.all([...this.#ledgers.all()].map((ledger) => ledger.envoyEnded(endedAtMs)));
    if (this.#endedAtMs === endedAtMs) this.#endedAtMs = undefined;
  }

  async #settle(caughtUp: boolean): Promise<void> {
    await Promise.all([...this.#ledgers.all()].map((ledger) => ledger.settled(caughtUp)));
  }

  async #record(batch: LogBatch): Promise<void> {
    let unread = batch.skipped > 0 ? 1 : 0;
    const appends: Promise<void>[] = [];
    for (const text of batch.lines) {
      const whole = readOutcomeLine(text);
      if (whole === undefined) unread += 1;
      const line = whole ?? salvage(text);
      if (line === undefined) continue;
      const ledger = this.#ledgers.find(line);
      if (ledger === undefined) this.#lose(line);
      else if (line.kind === "unrecorded") ledger.missed("inspection_failed");
      else if (!ledger.hasLine(lineKey(line.body) ?? "")) appends.push(this.#append(ledger, line.body));
    }
    const dropped = await this.#boundUntil(Promise.all(appends));
    if (dropped > 0) await this.#gap("backlog_full", dropped);
    if (unread > 0) await this.#gap("unreadable", unread);
  }

  /** Waits for records, which may take as long as a disk is full. Returns how many lines of Envoy's log were given up for it. */
  async #boundUntil(recorded: Promise<unknown>): Promise<number> {
    const done = new AbortController();
    const settled = recorded.finally(() => done.abort());
    let dropped = 0;
    for (;;) {
      await pause(BOUND_MS, done.signal);
      if (done.signal.aborted) break;
      try {
        dropped += await this.#follower.bound();
      } catch (error) {
        this.#logger.warn({ error: messageOf(error) }, "Could not keep Envoy's log short, trying again");
      }
    }
    await settled;
    return dropped;
  }

  async #append(ledger: OutcomeLedger, body: RecordBody): Promise<void> {
    while (!this.#giveUp.signal.aborted) {
      try {
        await ledger.append(body);
        return;
      } catch (error) {
        this.#logger.warn(
          { error: messageOf(error), record_type: body.type },
          "Could not record an outcome, trying again",
        );
        await pause(RETRY_MS, this.#giveUp.signal);
      }
    }
  }

  /** Nobody knows whose lines they were: every ledger is told. */
  async #gap(reason: "unreadable" | "backlog_full", lines: number): Promise<void> {
    this.#logger.error({ lines, reason }, "Lines of Envoy's log are lost");
    const body = { type: "log.gap", reason, lines } as const;
    await Promise.all([...this.#ledgers.all()].map((ledger) => this.#append(ledger, body)));
  }

  #lose(line: OutcomeLine): void {
    this.#homeless += 1;
    this.#logger.error(
      { ledger: line.ledger, port: line.port },
      "A line of Envoy's log belongs to no ledger that is open",
    );
  }
}

/** An Envoy that was killed left half a line, and the next one went on behind it: a quote inside a text would be escaped. */
function salvage(text: string): OutcomeLine | undefined {
  const begin = text.lastIndexOf('{"');
  return begin > 0 ? readOutcomeLine(text.slice(begin)) : undefined;
}
