import { type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger };

/** One JSON line an event on standard output, the level by name, the time in ISO 8601. */
export function createLogger(level: string): Logger {
  return pino({
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  });
}
