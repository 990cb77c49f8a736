import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ModelSignature } from "../model/signature.ts";
import type { RunTimes, WorkerPool } from "../worker/worker-pool.ts";

/** What became of one call. */
export interface CallOutcome {
  /** Empty where the call named no loaded model: what callers write must never become a label. */
  readonly model: string;
  readonly version: string;
  /** The RPC's name. */
  readonly method: string;
  /** Connect's word for it, or "ok"; "refused" for what never reached the method (not parsable, no such media type). */
  readonly code: string;
}

/** Prometheus metrics of this server. Durations are in seconds. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #calls: Counter<"model" | "version" | "method" | "code">;
  readonly #inference: Histogram<"model" | "version">;
  readonly #queueing: Histogram<"model" | "version">;
  readonly #models: Gauge<"model" | "version" | "sha256">;

  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#calls = new Counter({
      name: "hedgerow_predictor_requests_total",
      help: "Calls answered, by model, version, RPC and code",
      labelNames: ["model", "version", "method", "code"],
      registers,
    });
    // From a small model's 20 µs to a large one's second.
    const buckets = [
      0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5,
    ];
    this.#inference = new Histogram({
      name: "hedgerow_predictor_inference_seconds",
      help: "Time in ONNX Runtime",
      labelNames: ["model", "version"],
      buckets,
      registers,
    });
    this.#queueing = new Histogram({
      name: "hedgerow_predictor_queue_seconds",
      help: "Time that a request waited for a worker",
      labelNames: ["model", "version"],
      buckets,
      registers,
    });
    this.#models = new Gauge({
      name: "hedgerow_predictor_model_info",
      help: "1 for each loaded model, with the SHA-256 of its file",
      labelNames: ["model", "version", "sha256"],
      registers,
    });
  }

  /** Reads depth, workers and restarts off the pool whenever it is scraped; names each loaded model. */
  observe(pool: WorkerPool): void {
    const gauge = (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.set(read());
        },
      });
    gauge("hedgerow_predictor_queue_depth", "Requests that wait for a worker", () => pool.queueDepth);
    gauge("hedgerow_predictor_workers", "Worker threads that are ready", () => pool.aliveWorkers);
    gauge("hedgerow_predictor_workers_busy", "Worker threads that compute", () => pool.busyWorkers);
    gauge("hedgerow_predictor_worker_restarts", "Worker threads replaced since the start", () => pool.restarts);
    for (const { name, version, sha256 } of pool.signatures) this.#models.set({ model: name, version, sha256 }, 1);
  }

  called(outcome: CallOutcome): void {
    this.#calls.inc({ ...outcome });
  }

  ran({ name, version }: ModelSignature, times: RunTimes): void {
    this.#inference.observe({ model: name, version }, times.runMs / 1000);
    this.#queueing.observe({ model: name, version }, times.queueMs / 1000);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Everything in Prometheus's text format. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}
