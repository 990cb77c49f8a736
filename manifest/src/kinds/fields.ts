// The field types that several kinds share.
import { z } from "zod";

/** A rule in CEL of a CustomResourceDefinition: what a structural schema cannot say, or says in worse words than ours. */
export interface CelRule {
  /** Over `self`, the field; true where it is valid. */
  readonly rule: string;
  /** The words that the schema itself has for it. */
  readonly message: string;
}

/**
 * What is written into the CustomResourceDefinition beside what a schema says of itself. A schema forgets it in every
 * later refinement: it goes last.
 */
export function celRules(...rules: readonly CelRule[]) {
  return { "x-kubernetes-validations": rules };
}

/** The CEL that a text matches a pattern: RE2 has no look-around, and is as ours in what we use. */
export function celMatches(pattern: RegExp): string {
  return `self.matches(r'${pattern.source.replaceAll("\\/", "/")}')`;
}

/** A list whose entries are told apart by these fields, so that people can apply parts of it. */
export function listMap(...keys: readonly string[]) {
  return { "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys };
}

/** A text of at most `max` characters that matches a pattern; `message` says which. */
export function patterned(max: number, pattern: RegExp, message: string) {
  return z
    .string()
    .max(max)
    .regex(pattern, message)
    .meta(celRules({ rule: celMatches(pattern), message }));
}

/** RFC 1123 label: what a namespace, a service account and most names are in Kubernetes. */
export const dnsLabel = patterned(
  63,
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  "must be lower-case letters, digits and '-', starting and ending with a letter or digit",
);

/** RFC 1123 subdomain. */
export const dnsSubdomain = patterned(
  253,
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  "must be lower-case labels of letters, digits and '-', separated by '.'",
);

export const port = z.number().int().min(1).max(65535);

const portNameMessage = "must be at most 15 lower-case letters, digits and '-', with a letter";

/** IANA_SVC_NAME, as Kubernetes names ports. */
export const portName = z
  .string()
  .max(15)
  .regex(/^(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, portNameMessage)
  .meta(
    celRules({
      rule: `${celMatches(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)} && ${celMatches(/[a-z]/)}`,
      message: portNameMessage,
    }),
  );

/** NAMESPACE/NAME. */
export const namespacedName = patterned(
  317,
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?\/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/,
  "must be NAMESPACE/NAME",
);

const ipPattern = new RegExp(`${z.regexes.ipv4.source}|${z.regexes.ipv6.source}`);
const ipMessage = "must be an IPv4 or IPv6 address";

/** Without a zone, and without an IPv4 address inside it: that is written as IPv4. */
export const ipAddress = z
  .string()
  .regex(ipPattern, ipMessage)
  .max(45)
  .meta(celRules({ rule: celMatches(ipPattern), message: ipMessage }));

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

const durationPattern = /^([0-9]{1,5}(h|m|s|ms)){1,4}$/;
const durationMessage = "must be a duration as in 1h30m, 10s or 800ms (GEP-2257)";
/** Of what the pattern lets through; an API server bounds the cost of a rule by it. */
const durationMaxLength = 28;

/** Milliseconds of a GEP-2257 duration, as in 1h30m or 800ms; undefined when it is none. */
export function parseDurationMs(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined;
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
  const [min, max] = [durationText(minMs), durationText(maxMs)];
  const rangeMessage = `must be from ${min} to ${max}`;
  const isDuration = celMatches(durationPattern);
  // CEL reads what Go does: all of GEP-2257, and more than the pattern lets through.
  const isInRange = `duration(self) >= duration('${min}') && duration(self) <= duration('${max}')`;
  return z
    .string()
    .meta({
      maxLength: durationMaxLength,
      ...celRules(
        { rule: isDuration, message: durationMessage },
        { rule: `!${isDuration} || (${isInRange})`, message: rangeMessage },
      ),
    })
    .transform((text, context) => {
      const ms = parseDurationMs(text);
      if (ms === undefined) context.addIssue({ code: "custom", message: durationMessage });
      else if (ms < minMs || ms > maxMs) context.addIssue({ code: "custom", message: rangeMessage });
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
