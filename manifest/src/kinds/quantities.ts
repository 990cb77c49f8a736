// Sizes and shares.
import { z } from "zod";
import { celMatches, celRules } from "./fields.ts";

const unitBytes: Readonly<Record<string, number>> = { "": 1, Ki: 1024, Mi: 1_048_576 };

const sizePattern = /^([1-9][0-9]{0,8})(Ki|Mi)?$/;
const sizeMessage = "must be a size as in 512Ki or 4Mi";

function sizeText(bytes: number): string {
  const [unit, size] = Object.entries(unitBytes).findLast(([, size]) => bytes % size === 0) ?? ["", 1];
  return `${bytes / size}${unit}`;
}

/** A Kubernetes quantity of bytes, whole or in Ki or Mi, read as a number; both limits are in bytes. */
export function sizeInBytes({ minBytes, maxBytes }: { readonly minBytes: number; readonly maxBytes: number }) {
  const [min, max] = [sizeText(minBytes), sizeText(maxBytes)];
  const rangeMessage = `must be from ${min} to ${max}`;
  const isSize = celMatches(sizePattern);
  const isInRange = `quantity(self).compareTo(quantity('${min}')) >= 0 && quantity(self).compareTo(quantity('${max}')) <= 0`;
  return z
    .string()
    .meta({
      maxLength: 11,
      ...celRules(
        { rule: isSize, message: sizeMessage },
        { rule: `!${isSize} || (${isInRange})`, message: rangeMessage },
      ),
    })
    .transform((text, context) => {
      const [, count, unit = ""] = sizePattern.exec(text) ?? [];
      const bytes = Number(count) * (unitBytes[unit] ?? 1);
      if (count === undefined) context.addIssue({ code: "custom", message: sizeMessage });
      else if (bytes < minBytes || bytes > maxBytes) context.addIssue({ code: "custom", message: rangeMessage });
      return bytes;
    });
}

const sharePattern = /^[0-9]{1,3}(\.[0-9]{1,2})?%$/;
const shareMessage = "must be a percentage as in 1% or 0.25%";
const shareRangeMessage = "must be from 0.01% to 100%";

/** A percentage with at most two decimals, from 0.01% to 100%, read as millionths. */
export const shareInMillionths = z
  .string()
  .meta({
    maxLength: 7,
    ...celRules(
      { rule: celMatches(sharePattern), message: shareMessage },
      {
        rule: `!${celMatches(sharePattern)} || (double(self.replace('%', '')) >= 0.01 && double(self.replace('%', '')) <= 100.0)`,
        message: shareRangeMessage,
      },
    ),
  })
  .transform((text, context) => {
    const millionths = Math.round(Number(text.replace("%", "")) * 10_000);
    if (!sharePattern.test(text)) context.addIssue({ code: "custom", message: shareMessage });
    else if (millionths < 100 || millionths > 1_000_000)
      context.addIssue({ code: "custom", message: shareRangeMessage });
    return millionths;
  });
