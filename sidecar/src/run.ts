import { runAgent } from "./agent.ts";
import { parseConfig } from "./config.ts";
import { messageOf, SidecarError } from "./errors.ts";
import { createLogger } from "./logger.ts";

/** Longer than the longest drain (10 min) and every bound after it: past this, something hangs. */
const FORCED_EXIT_MS = 630_000;

/** Runs the agent by the environment of this process, until SIGTERM or SIGINT. */
export async function run(): Promise<void> {
  const config = parseConfig(process.env);
  if (!config.ok) {
    for (const problem of config.problems) process.stderr.write(`${problem}\n`);
    process.exitCode = 2;
    return;
  }
  const logger = createLogger(config.value.logLevel);
  const stopping = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.on(name, () => {
      // A second one must not cut the drain short: it would leave Envoy behind.
      if (stopping.signal.aborted) return;
      logger.info({ signal: name }, "Stopping");
      stopping.abort();
      setTimeout(() => process.exit(1), FORCED_EXIT_MS).unref();
    });
  }
  try {
    await runAgent(config.value, logger, stopping.signal);
  } catch (error) {
    const errorCode = error instanceof SidecarError ? error.code : undefined;
    logger.fatal({ error: messageOf(error), error_code: errorCode }, "The agent cannot run");
    process.exitCode = 1;
    stopping.abort();
  }
}
