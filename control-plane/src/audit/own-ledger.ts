// The control plane's own ledger, AUDIT/control-plane: what it certified, which tokens it made, who edited what, who read the audit.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { LedgerError, type RecordBody } from "@hedgerow/ledger";
import { Checkpointer, type LedgerWriter, openLedger, type Witness } from "@hedgerow/ledger/store";
import { ControlPlaneError, messageOf } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { Counter, Gauge } from "../metrics/metrics.ts";
import type { ActRecorder } from "./acts.ts";

const POLICY = "control-plane";
/** A disk that answers later is one that can't be written. */
const RECORD_MS = 5_000;
const RECORD_IF_POSSIBLE_MS = 1_000;
const REOPEN_MS = 5_000;

export interface OwnLedgerDeps {
  /** HEDGEROW_AUDIT. */
  readonly directory: string;
  /** hedgerow-system/NAME of this replica. */
  readonly node: string;
  readonly spiffe: string;
  readonly witness: Witness;
  /** Unix ms. */
  readonly now: () => number;
  readonly logger: Logger;
}

interface Missing {
  readonly requests: number;
  readonly fromMs: number;
  readonly reason: string;
}

/**
 * On disk before what it tells of has an effect, each record by itself. A ledger that can't be opened or written keeps no mesh from
 * starting: it is tried again, and whoever records learns of it.
 */
export class OwnLedger implements ActRecorder, AsyncDisposable {
  readonly metrics: readonly (Counter | Gauge)[];
  readonly #deps: OwnLedgerDeps;
  readonly #records = new Counter(
    "hedgerow_audit_records_total",
    "Records of the control plane's own ledger: written; missing, what they tell of having happened all the same; refused with it.",
    [{ outcome: "written" }, { outcome: "missing" }, { outcome: "refused" }],
  );
  readonly #stop = new AbortController();
  #writer: LedgerWriter | undefined;
  #checkpointer: Checkpointer | undefined;
  #running: Promise<void> | undefined;
  #opening: Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #problem = "it is not open yet";
  #missing: Missing | undefined;

  private constructor(deps: OwnLedgerDeps) {
    this.#deps = deps;
    this.metrics = [
      this.#records,
      new Gauge("hedgerow_audit_writable", "1 while the control plane's own ledger can be written.", () =>
        this.#writer !== undefined && this.#writer.health.failure === undefined ? 1 : 0,
      ),
    ];
    this.#opening = this.#open();
  }

  static async open(deps: OwnLedgerDeps): Promise<OwnLedger> {
    const ledger = new OwnLedger(deps);
    await ledger.#opening;
    return ledger;
  }

  async record(body: RecordBody): Promise<void> {
    try {
      await within(this.#append(body), RECORD_MS);
    } catch (error) {
      this.#records.add({ outcome: "refused" });
      this.#deps.logger.error({ type: body.type, err: error }, "Refused what could not be recorded");
      throw new ControlPlaneError("AUDIT_UNWRITABLE", `the audit ledger can't be written: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  async recordIfPossible(body: RecordBody): Promise<void> {
    const appended = this.#append(body).catch((error: unknown) => this.#missed(body.type, error));
    // A record that is late may still come; whether it is missing shows then.
    await within(appended, RECORD_IF_POSSIBLE_MS).catch(() => {});
  }

  async #append(body: RecordBody): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) throw new Error(this.#problem);
    const missing = this.#missing;
    this.#missing = undefined;
    try {
      if (missing !== undefined) await writer.append(missingRecord(missing, this.#deps.now()));
    } catch (error) {
      this.#missing = sum(missing, this.#missing);
      throw error;
    }
    await writer.append(body);
    this.#records.add({ outcome: "written" });
  }

  #missed(type: string, error: unknown): void {
    const reason = error instanceof LedgerError && error.code !== "closed" ? error.code : "write_failed";
    this.#missing = sum(this.#missing, { requests: 1, fromMs: this.#deps.now(), reason });
    this.#records.add({ outcome: "missing" });
    this.#deps.logger.error({ type, err: error }, "Acted without a record");
  }

  // Never rejects.
  async #open(): Promise<void> {
    const { directory, node, spiffe, witness, now, logger } = this.#deps;
    const path = join(directory, POLICY);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const durability = { each: true, everyMs: 1 };
      const writer = await openLedger({ directory: path, node, spiffe, policy: POLICY, durability, now });
      if (this.#stop.signal.aborted) return await writer.close();
      const { recovery } = writer;
      logger.info({ path, ledger: writer.id, ...recovery }, "Opened the audit ledger");
      if (recovery.damaged !== undefined)
        logger.error({ path, problem: recovery.damaged }, "The audit ledger was changed: verify it");
      this.#writer = writer;
      this.#checkpointer = new Checkpointer({ writer, node, spiffe: () => spiffe, witness, now, log: logger });
      this.#running = this.#checkpointer.run(this.#stop.signal);
    } catch (error) {
      this.#problem = messageOf(error);
      logger.error({ path, err: error }, "Can't open the audit ledger");
      if (!this.#stop.signal.aborted)
        this.#timer = setTimeout(() => {
          this.#opening = this.#open();
        }, REOPEN_MS).unref();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#opening;
    await this.#running;
    try {
      await this.#checkpointer?.checkpointNow();
    } catch (error) {
      this.#deps.logger.error({ err: error }, "The last checkpoint failed");
    }
    await this.#checkpointer?.[Symbol.asyncDispose]();
    await this.#writer?.close();
  }
}

function missingRecord({ requests, fromMs, reason }: Missing, nowMs: number): RecordBody {
  const time = (ms: number) => new Date(ms).toISOString();
  return { type: "records.missing", requests, from: time(fromMs), to: time(nowMs), reason };
}

/** The reason is the first one's. */
function sum(first: Missing | undefined, second: Missing | undefined): Missing | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return { ...first, requests: first.requests + second.requests };
}

async function within<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`not on disk after ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
