import { type Logger, pino } from "pino";

export type { Logger };

/** The agent's log: JSON lines on standard output. */
export function createLogger(level: string): Logger {
  return pino({ level, base: { component: "agent" } });
}
