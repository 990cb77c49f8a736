import { Worker } from "node:worker_threads";
import type { Tensor } from "@hedgerow/proto/tensor";
import { messageOf, PredictorError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { ModelSignature } from "../model/signature.ts";
import { problemList } from "../text/problem-list.ts";
import type { ModelFile, RunRequest, WorkerOrder, WorkerReport, WorkerStart } from "./messages.ts";
import { ownBuffer } from "./own-buffer.ts";

/** What a request took, in milliseconds. */
export interface RunTimes {
  /** Waiting for a worker. */
  readonly queueMs: number;
  /** In ONNX Runtime. */
  readonly runMs: number;
}

export interface PoolOptions {
  readonly models: readonly ModelFile[];
  /** Threads, from 1. */
  readonly workers: number;
  /** Requests that may wait for a worker; the next one is refused. */
  readonly queueLimit: number;
  readonly logger: Logger;
  /** After every change of `aliveWorkers` since the start. */
  readonly onAlive?: (alive: number) => void;
  /** The worker's module; a test may bring one that crashes. */
  readonly entry?: URL;
}

interface Job {
  readonly request: RunRequest;
  readonly queuedAt: number;
  startedAt: number;
  readonly resolve: (result: { outputs: readonly Tensor[]; times: RunTimes }) => void;
  readonly reject: (error: unknown) => void;
}

const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 10_000;
const LONGEST_RUNTIME_TEXT = 300;

/**
 * Worker threads that all hold every model, and the bounded queue before them. A worker that dies takes only its own
 * request with it (`unavailable`) and is replaced, after a pause that doubles from 100 ms to 10 s until one loads again.
 */
export class WorkerPool implements AsyncDisposable {
  readonly #options: PoolOptions;
  /** Oldest first. Full: `resource_exhausted`. A Set, because cancelled jobs leave from the middle. */
  readonly #queue = new Set<Job>();
  readonly #idle = new Set<Worker>();
  readonly #alive = new Map<Worker, Job | undefined>();
  readonly #all = new Set<Worker>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #signatures: readonly ModelSignature[] = [];
  #backoffMs = FIRST_BACKOFF_MS;
  #restarts = 0;
  #started = false;
  #closed = false;

  private constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Starts every worker; rejects (`failed_precondition`, naming each file) where a model does not load. */
  static async start(options: PoolOptions): Promise<WorkerPool> {
    // The runtime would write a device id under ~/.cache and report to its maker. It reads this when it loads, from the
    // environment of the process: a worker's own process.env is a copy.
    process.env["ORT_DISABLE_TELEMETRY"] = "1";
    const pool = new WorkerPool(options);
    try {
      await Promise.all(Array.from({ length: options.workers }, () => pool.#spawn()));
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
    pool.#started = true;
    return pool;
  }

  /** In the order of `models`. */
  get signatures(): readonly ModelSignature[] {
    return this.#signatures;
  }

  get queueDepth(): number {
    return this.#queue.size;
  }

  get aliveWorkers(): number {
    return this.#alive.size;
  }

  get busyWorkers(): number {
    return this.#alive.size - this.#idle.size;
  }

  /** Workers that were replaced since the start. */
  get restarts(): number {
    return this.#restarts;
  }

  /**
   * Runs one request. Each input's `bytes` is transferred where it is a whole buffer, and copied otherwise. Rejects with
   * `resource_exhausted` (queue full), `unavailable` (no worker, or it died), `internal` (the model failed), or the
   * signal's reason: at once, though a request that runs already is computed to its end.
   */
  async run(request: RunRequest, signal: AbortSignal): Promise<{ outputs: readonly Tensor[]; times: RunTimes }> {
    signal.throwIfAborted();
    if (this.#closed || this.#alive.size === 0) throw new PredictorError("unavailable", "no worker is ready");
    if (this.#idle.size === 0 && this.#queue.size >= this.#options.queueLimit)
      throw new PredictorError(
        "resource_exhausted",
        `the queue is full, ${this.#options.queueLimit} requests wait for a worker`,
      );
    const { promise, resolve, reject } = Promise.withResolvers<{ outputs: readonly Tensor[]; times: RunTimes }>();
    const job: Job = { request, queuedAt: performance.now(), startedAt: 0, resolve, reject };
    const abandon = () => {
      this.#queue.delete(job);
      reject(signal.reason);
    };
    signal.addEventListener("abort", abandon, { once: true });
    this.#queue.add(job);
    this.#dispatch();
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", abandon);
    }
  }

  /** Requests that wait are refused; those that run are computed to their end, and answered. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const job of this.#queue) job.reject(new PredictorError("unavailable", "the server stops"));
    this.#queue.clear();
    const ended = Array.from(this.#all, (worker) => new Promise((resolve) => worker.once("exit", resolve)));
    for (const worker of this.#all) order(worker, { kind: "stop" });
    await Promise.all(ended);
  }

  #dispatch(): void {
    for (const job of this.#queue) {
      const [worker] = this.#idle;
      if (worker === undefined) return;
      this.#queue.delete(job);
      this.#idle.delete(worker);
      this.#alive.set(worker, job);
      job.startedAt = performance.now();
      const inputs = job.request.inputs.map((input) => ({ ...input, bytes: ownBuffer(input.bytes) }));
      order(
        worker,
        { kind: "run", request: { ...job.request, inputs } },
        inputs.map(({ bytes }) => bytes.buffer),
      );
    }
  }

  /** Resolves when the worker has loaded every model, rejects when it can't. */
  #spawn(): Promise<void> {
    const start: WorkerStart = { models: this.#options.models };
    const worker = new Worker(this.#options.entry ?? new URL("./model-worker.ts", import.meta.url), {
      workerData: start,
      name: "model-worker",
    });
    this.#all.add(worker);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let loaded = false;
    let death: unknown;
    worker.on("message", (report: WorkerReport) => {
      switch (report.kind) {
        case "loaded":
          loaded = true;
          this.#signatures = report.signatures;
          this.#backoffMs = FIRST_BACKOFF_MS;
          this.#alive.set(worker, undefined);
          this.#idle.add(worker);
          if (this.#started) this.#options.onAlive?.(this.#alive.size);
          this.#dispatch();
          resolve();
          return;
        case "load_failed":
          // It ends by itself.
          death = new PredictorError("failed_precondition", problemList(report.problems));
          return;
        case "done":
        case "failed":
          this.#settle(worker, report);
          return;
      }
    });
    worker.on("error", (error) => {
      death = error;
    });
    worker.on("exit", (code) => {
      const cause = death ?? new Error(`worker ended with code ${code}`);
      this.#buried(worker, cause);
      if (loaded) this.#replace();
      else reject(cause);
    });
    return promise;
  }

  #settle(worker: Worker, report: WorkerReport & { kind: "done" | "failed" }): void {
    const job = this.#alive.get(worker);
    this.#alive.set(worker, undefined);
    this.#idle.add(worker);
    this.#dispatch();
    if (job === undefined) return;
    if (report.kind === "done") {
      const times = { queueMs: job.startedAt - job.queuedAt, runMs: report.runMs };
      job.resolve({ outputs: report.outputs, times });
    } else {
      const text = report.message.slice(0, LONGEST_RUNTIME_TEXT);
      job.reject(new PredictorError("internal", `model ${job.request.model} failed: ${text}`));
    }
  }

  #buried(worker: Worker, cause: unknown): void {
    const job = this.#alive.get(worker);
    const wasAlive = this.#alive.delete(worker);
    this.#idle.delete(worker);
    this.#all.delete(worker);
    job?.reject(new PredictorError("unavailable", "the worker of this request died", { cause }));
    if (this.#closed) return;
    // Of a start that fails, whoever starts is told.
    if (this.#started) this.#options.logger.error({ error: messageOf(cause) }, "Worker died");
    // Whoever waits could wait for as long as no worker loads; another server may have one now.
    if (this.#alive.size === 0) {
      for (const waiting of this.#queue) waiting.reject(new PredictorError("unavailable", "no worker is ready"));
      this.#queue.clear();
    }
    if (wasAlive && this.#started) this.#options.onAlive?.(this.#alive.size);
  }

  #replace(): void {
    if (this.#closed) return;
    const pauseMs = this.#backoffMs;
    this.#backoffMs = Math.min(this.#backoffMs * 2, LONGEST_BACKOFF_MS);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#restarts++;
      // Its death is logged already.
      this.#spawn().catch(() => this.#replace());
    }, pauseMs);
    this.#timers.add(timer);
  }
}

function order(worker: Worker, what: WorkerOrder, transfer: readonly ArrayBuffer[] = []): void {
  worker.postMessage(what, transfer);
}
