import { setTimeout as sleep } from "node:timers/promises";
import { Health } from "@hedgerow/proto/grpc/health/v1/health";
import { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";
import packageJson from "../package.json" with { type: "json" };
import type { Config } from "./config.ts";
import { PredictorError } from "./errors.ts";
import type { Logger } from "./logger.ts";
import { buildCatalog } from "./model/catalog.ts";
import { scanRepository } from "./repository/scan-repository.ts";
import { callOutcome, reachedMethod } from "./service/call-outcome.ts";
import { healthService } from "./service/health-service.ts";
import { HealthState } from "./service/health-state.ts";
import { inferenceService } from "./service/inference-service.ts";
import { Metrics } from "./service/metrics.ts";
import { MetricsServer } from "./service/metrics-server.ts";
import { rpcHandler } from "./service/rpc-handler.ts";
import { SharedPort } from "./service/shared-port.ts";
import { problemList } from "./text/problem-list.ts";
import { WorkerPool } from "./worker/worker-pool.ts";

/** A quarter of a second of a model that takes a millisecond; longer waits are better spent elsewhere. */
const QUEUE_LIMIT = 256;

/** A running predictor; disposing ends it at once. */
export interface Predictor extends AsyncDisposable {
  /** HOST:PORT of Connect, gRPC and gRPC-Web. */
  readonly address: string;
  /** HOST:PORT of /metrics. */
  readonly metricsAddress: string;
  /**
   * Says NOT_SERVING, takes no new connection, lets requests in flight finish, for at most the configured time, and
   * ends. Resolves to whether all of them did.
   */
  readonly drain: () => Promise<boolean>;
}

/**
 * Loads every model and serves. The port of metrics answers first (/healthz 200, /readyz 503), the other one when every
 * model is loaded.
 * Rejects with `failed_precondition`, naming files, where the repository or a model is not good.
 */
export async function startPredictor(config: Config, logger: Logger): Promise<Predictor> {
  await using started = new AsyncDisposableStack();
  const metrics = new Metrics();
  const health = new HealthState();
  const metricsServer = started.use(new MetricsServer(metrics, health));
  const metricsAddress = await metricsServer.listen(config.metricsListen);
  logger.info({ address: metricsAddress, port_name: "metrics" }, "Listening");

  const repository = await scanRepository(config.modelsDir);
  if (!repository.ok) throw new PredictorError("failed_precondition", problemList(repository.problems));
  const pool = started.use(
    await WorkerPool.start({
      models: repository.models,
      workers: config.workers,
      queueLimit: QUEUE_LIMIT,
      logger: logger.child({ component: "workers" }),
      onAlive: (alive) => health.setServing(alive > 0),
    }),
  );
  metrics.observe(pool);
  for (const { name, version, sha256 } of pool.signatures)
    logger.info({ model: name, model_version: version, sha256 }, "Model loaded");

  const inference = inferenceService({
    catalog: buildCatalog(pool.signatures),
    pool,
    health,
    metrics,
    maxRequestBytes: config.maxRequestBytes,
    serverVersion: packageJson.version,
  });
  const port = started.use(
    new SharedPort(
      rpcHandler({
        routes: (router) => router.service(GRPCInferenceService, inference).service(Health, healthService(health)),
        interceptors: [callOutcome(metrics, logger.child({ component: "service" }))],
        maxRequestBytes: config.maxRequestBytes,
        logger: logger.child({ component: "service" }),
        onClose: (method, values) => {
          if (!values.get(reachedMethod)) metrics.called({ model: "", version: "", method, code: "refused" });
        },
      }),
    ),
  );
  const address = await port.listen(config.listen);
  logger.info({ address, port_name: "inference" }, "Listening");
  health.setServing(pool.aliveWorkers > 0);

  const owned = started.move();
  const end = () => owned.disposeAsync();
  return {
    address,
    metricsAddress,
    [Symbol.asyncDispose]: end,
    async drain() {
      health.drain();
      const forced = new AbortController();
      const finished = await Promise.race([
        port.drain().then(() => true),
        sleep(config.drainSeconds * 1000, false, { signal: forced.signal }),
      ]);
      forced.abort();
      await end();
      return finished;
    },
  };
}
