const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
] as const;

/** How long ago something was, in its largest unit, as in 40s, 12m, 3h or 5d. Clocks differ: never below 0s. */
export function age(isoTime: string, nowMs: number): string {
  const ms = Math.max(0, nowMs - Date.parse(isoTime));
  const unit = units.find(([, length]) => ms >= length);
  return unit === undefined ? `${Math.floor(ms / 1000)}s` : `${Math.floor(ms / unit[1])}${unit[0]}`;
}
