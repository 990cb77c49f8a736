import { CliError } from "../errors.ts";
import type { TimeRange } from "./time-range.ts";

const unitMs = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 } as const;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

/**
 * A moment as a person writes it: a date (00:00 UTC), an RFC 3339 time, or how long ago, as in 24h or 7d. `option` is for messages.
 *
 * @throws CliError usage: it is none.
 */
function parseMoment(option: string, text: string, nowMs: number): number {
  if (/^([0-9]{1,5}[dhms]){1,4}$/.test(text)) {
    let ago = 0;
    for (const [, number, unit] of text.matchAll(/([0-9]+)([dhms])/g))
      ago += Number(number) * unitMs[unit as keyof typeof unitMs];
    return nowMs - ago;
  }
  const ms = DATE.test(text) || INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  // 2026-02-30 parses, as a day in March.
  if (Number.isNaN(ms) || (DATE.test(text) && new Date(ms).toISOString().slice(0, 10) !== text))
    throw new CliError(
      "usage",
      `${option} ${text} is no time: give a date (2026-11-24), a time (2026-11-24T10:00:00Z) or how long ago (24h, 7d)`,
    );
  return ms;
}

/** @throws CliError usage: a moment is none, or they stand in the wrong order. */
export function parseTimeRange({ from, to }: { from?: string; to?: string }, nowMs: number): TimeRange {
  const fromMs = from === undefined ? undefined : parseMoment("--from", from, nowMs);
  const toMs = to === undefined ? undefined : parseMoment("--to", to, nowMs);
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs)
    throw new CliError("usage", `--from ${from} is not before --to ${to}`);
  return { ...(fromMs === undefined ? {} : { fromMs }), ...(toMs === undefined ? {} : { toMs }) };
}
