// The control plane as a process: settings from the environment, logs on standard output, SIGTERM and SIGINT drain.
import { readFileSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { parseConfig } from "./config.ts";
import { ControlPlane } from "./control-plane.ts";
import { createLogger, type Logger } from "./logger.ts";

/** Whatever has not ended by itself then is cut off. */
const FORCED_SHUTDOWN_MS = 10_000;

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const version = typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : "";
  return String(version);
}

async function run(logger: Logger, options: Omit<Parameters<typeof ControlPlane.start>[0], "onFailure" | "logger">) {
  const stop = Promise.withResolvers<void>();
  // A failure during the start is told by the start, too.
  stop.promise.catch(() => {});
  for (const signal of ["SIGTERM", "SIGINT"] as const)
    process.once(signal, () => {
      logger.info({ signal }, "Shutting down");
      stop.resolve();
    });
  await using _ = await ControlPlane.start({ ...options, logger, onFailure: stop.reject });
  // At once: a control plane may be killed.
  flushCompileCache();
  await stop.promise.finally(() => {
    // Only this timer may end the process while something is still open.
    setTimeout(() => process.exit(1), FORCED_SHUTDOWN_MS).unref();
  });
}

/** Resolves once it has ended; the exit status is set. */
export async function runProcess(): Promise<void> {
  const config = parseConfig(process.env);
  if (config.ok) {
    const logger = createLogger(config.value.logLevel);
    try {
      await run(logger, { config: config.value, version: readVersion(), now: Date.now });
    } catch (error) {
      logger.fatal({ err: error }, "Control plane failed");
      process.exitCode = 1;
    }
  } else {
    for (const { variable, value, expected } of config.problems)
      process.stderr.write(`${variable} is ${JSON.stringify(value)}, must be ${expected}\n`);
    process.exitCode = 2;
  }
}
