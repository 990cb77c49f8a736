// The field types that several kinds share.
import { z } from "zod";

/** RFC 1123 label: what a namespace, a service account and most names are in Kubernetes. */
export const dnsLabel = z
  .string()
  .max(63)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    "must be lower-case letters, digits and '-', starting and ending with a letter or digit",
  );

/** RFC 1123 subdomain. */
export const dnsSubdomain = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    "must be lower-case labels of letters, digits and '-', separated by '.'",
  );

export const port = z.number().int().min(1).max(65535);

/** IANA_SVC_NAME, as Kubernetes names ports. */
export const portName = z
  .string()
  .max(15)
  .regex(
    /^(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    "must be at most 15 lower-case letters, digits and '-', with a letter",
  );

/** NAMESPACE/NAME. */
export const namespacedName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?\/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/, "must be NAMESPACE/NAME");

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** Milliseconds of a GEP-2257 duration, as in 1h30m or 800ms; undefined when it is none. */
function parseDurationMs(text: string): number | undefined {
  if (!/^([0-9]{1,5}(h|m|s|ms)){1,4}$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) sum += Number(count) * (unitMs[unit ?? ""] ?? 0);
  return sum;
}

/** Milliseconds for people, in the largest unit that divides them. */
function durationText(ms: number): string {
  const [unit, size] = Object.entries(unitMs).find(([, size]) => ms > 0 && ms % size === 0) ?? ["s", 1_000];
  return `${ms / size}${unit}`;
}

/** A GEP-2257 duration, read as milliseconds; both limits are in milliseconds. */
export function durationMs({ minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }) {
  return z.string().transform((text, context) => {
    const ms = parseDurationMs(text);
    if (ms === undefined)
      context.addIssue({ code: "custom", message: "must be a duration as in 1h30m, 10s or 800ms (GEP-2257)" });
    else if (ms < minMs || ms > maxMs)
      context.addIssue({ code: "custom", message: `must be from ${durationText(minMs)} to ${durationText(maxMs)}` });
    return ms ?? 0;
  });
}

const labelValue = z
  .string()
  .max(63)
  .regex(/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/, "must be a Kubernetes label value");
export const labels = z.record(z.string().min(1).max(317), labelValue);

/** What Hedgerow reads of Kubernetes' ObjectMeta; a namespace left out is `default`. */
export const metadata = z.strictObject({
  name: dnsSubdomain,
  namespace: dnsLabel.default("default"),
  labels: labels.default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  /** Decides which of two policies on one target is the older; absent in most files. */
  creationTimestamp: z.iso.datetime().optional(),
});
