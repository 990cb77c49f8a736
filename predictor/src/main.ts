import { availableParallelism } from "node:os";
import { parseConfig } from "./config.ts";
import { messageOf } from "./errors.ts";
import { createLogger } from "./logger.ts";
import { startPredictor } from "./predictor.ts";

const config = parseConfig(process.env, availableParallelism());
if (!config.ok) {
  for (const { variable, value, expected } of config.problems)
    console.error(`${variable}: ${JSON.stringify(value)}, expected ${expected}`);
  process.exitCode = 2;
} else {
  const logger = createLogger(config.value.logLevel);
  try {
    const predictor = await startPredictor(config.value, logger);
    // A second signal ends the process at once.
    const stop = async (signal: NodeJS.Signals) => {
      logger.info({ signal, drain_seconds: config.value.drainSeconds }, "Draining");
      const finished = await predictor.drain();
      logger.info({ finished }, "Stopped");
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(signal));
  } catch (error) {
    logger.fatal({ error: messageOf(error) }, "Start failed");
    process.exitCode = 1;
  }
}
