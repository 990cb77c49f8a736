/** Of time, in Unix ms: from the first, to before the second. */
export interface TimeRange {
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** Whether a recorded time lies in it; what can't be read as a time lies in every range, so that it is not hidden. */
export function isWithin({ fromMs, toMs }: TimeRange, time: string): boolean {
  const ms = Date.parse(time);
  if (Number.isNaN(ms)) return true;
  return (fromMs === undefined || ms >= fromMs) && (toMs === undefined || ms < toMs);
}
