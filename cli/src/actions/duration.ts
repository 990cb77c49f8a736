import type { Duration } from "@bufbuild/protobuf/wkt";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { CliError } from "../errors.ts";

const unitMs = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** A GEP-2257 duration, as in 1h30m. @throws CliError usage: it is none. The control plane knows the limits. */
export function parseTtl(text: string): Duration {
  if (!/^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(text))
    throw new CliError("usage", `--ttl ${text} is no duration, as in 90s, 15m or 1h30m`);
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g))
    ms += Number(number) * unitMs[unit as keyof typeof unitMs];
  return durationFromMs(ms);
}
