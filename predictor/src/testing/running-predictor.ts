import { join } from "node:path";
import type { Config } from "../config.ts";
import { createLogger } from "../logger.ts";
import { type Predictor, startPredictor } from "../predictor.ts";

export const DIGITS_MODELS = join(import.meta.dirname, "../../models");

/** The real thing in this process, on free ports. */
export async function runningPredictor(config: Partial<Config> = {}): Promise<Predictor> {
  const free = { host: "127.0.0.1", port: 0 };
  return await startPredictor(
    {
      modelsDir: DIGITS_MODELS,
      listen: free,
      metricsListen: free,
      workers: 1,
      maxRequestBytes: 4 * 1024 * 1024,
      drainSeconds: 5,
      logLevel: "fatal",
      ...config,
    },
    createLogger("fatal"),
  );
}
