import { availableParallelism } from "node:os";
import { parseConfig } from "./config.ts";
import { messageOf } from "./errors.ts";
import { createLogger } from "./logger.ts";
import { startPredictor } from "./predictor.ts";

/** After the drain, for the inferences that run then: they can't be interrupted. */
const LAST_INFERENCE_SECONDS = 10;

const config = parseConfig(process.env, availableParallelism());
if (!config.ok) {
  for (const { variable, value, expected } of config.problems)
    console.error(`${variable}: ${JSON.stringify(value)}, expected ${expected}`);
  process.exitCode = 2;
} else {
  const logger = createLogger(config.value.logLevel);
  try {
    const predictor = await startPredictor(config.value, logger);
    const { drainSeconds } = config.value;
    // A second signal ends the process at once.
    const stop = async (signal: NodeJS.Signals) => {
      logger.info({ signal, drain_seconds: drainSeconds }, "Draining");
      setTimeout(
        () => {
          logger.fatal("Killed in the middle of an inference");
          // process.exit would join the threads, and native code that is still running would abort the process.
          process.kill(process.pid, "SIGKILL");
        },
        (drainSeconds + LAST_INFERENCE_SECONDS) * 1000,
      ).unref();
      const finished = await predictor.drain();
      logger.info({ finished }, "Stopped");
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(signal));
  } catch (error) {
    logger.fatal({ error: messageOf(error) }, "Start failed");
    process.exitCode = 1;
  }
}
