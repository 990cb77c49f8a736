import { z } from "zod";
import { auditSink } from "./audit-sink.ts";
import { celRules, dnsLabel, dnsSubdomain, durationMs, listMap, metadata } from "./fields.ts";
import { shareInMillionths, sizeInBytes } from "./quantities.ts";
import { keepsNull, secretRef, targetRefs } from "./refs.ts";

const target = z.strictObject({
  group: z.enum(["", "core"]).default("").describe("The core group, in which Services and Namespaces are."),
  kind: z
    .enum(["Service", "Namespace"])
    .describe("A Service, or all that runs in a Namespace where no policy names the Service."),
  name: dnsSubdomain.describe("Its name; of a Namespace the policy's own."),
});

const lockNeedsYears = "needs retention.keepYears of at least 1: so long is a copy locked";

const spec = z
  .strictObject({
    targetRefs: targetRefs(target, "Services of the policy's own namespace, or that Namespace."),
    durability: z
      .strictObject({
        fsync: z
          .enum(["batch", "each"])
          .default("batch")
          .describe(
            "When a record is on disk: `each` before the answer leaves; `batch` with the operating system before it leaves, and on disk within `every`.",
          ),
        every: durationMs({ minMs: 1, maxMs: 1_000 })
          .prefault("5ms")
          .describe("Of `batch`: how long a record may be with the operating system alone. From 1ms to 1s."),
      })
      .prefault({})
      .describe("What an answer waits for."),
    failMode: z
      .enum(["closed", "open"])
      .default("closed")
      .describe(
        "What happens to requests that cannot be recorded: `closed` they are refused, `open` they are answered, and counted in the ledger.",
      ),
    keys: z
      .strictObject({
        digest: secretRef.optional().meta({
          ...keepsNull,
          description:
            "Key of the digests of inputs and outputs, so that two ledgers can be compared. Left out: each sidecar makes its own.",
        }),
        encryption: secretRef.optional().meta({
          ...keepsNull,
          description: "Key of 32 bytes under which records are encrypted at rest. Left out: they are not encrypted.",
        }),
      })
      .prefault({})
      .describe("Keys, by the names of secrets."),
    digests: z
      .strictObject({ output: z.boolean().default(false).describe("Record a keyed digest of every answer, too.") })
      .prefault({})
      .describe("What is digested beside every input."),
    payload: z
      .strictObject({
        sample: shareInMillionths.describe("Of requests, from 0.01% to 100%."),
        maxBytes: sizeInBytes({ minBytes: 1024, maxBytes: 1_048_576 })
          .prefault("64Ki")
          .describe("Of a larger payload the rest is cut off. From 1Ki to 1Mi."),
        recipient: secretRef.describe("The auditor's public key, a JWK: nobody else can read what was sampled."),
      })
      .optional()
      .meta({
        ...keepsNull,
        description: "Requests that are recorded whole, encrypted to an auditor. Left out: none.",
      }),
    retention: z
      .strictObject({
        class: dnsLabel.default("standard").describe("What an auditor calls it; stands in the record of a deletion."),
        keepYears: z
          .number()
          .int()
          .min(0)
          .max(100)
          .default(5)
          .describe("How long a segment of the ledger is kept after its closing; older ones are deleted."),
        legalHold: z.boolean().default(false).describe("While it is true nothing is deleted."),
      })
      .prefault({})
      .describe("How long records are kept."),
    sinks: z
      .array(auditSink)
      .max(8)
      .default([])
      .meta({ ...listMap("name"), description: "Where records are copied to, beside the ledger at the sidecar." }),
  })
  .superRefine(({ retention, sinks }, context) => {
    for (const [index, sink] of sinks.entries())
      if ("s3" in sink && sink.s3.objectLock !== "none" && retention.keepYears < 1)
        context.addIssue({ code: "custom", path: ["sinks", index, "s3", "objectLock"], message: lockNeedsYears });
  })
  .meta({
    description: "What is recorded of the requests that a Service or Namespace takes, and how.",
    ...celRules({
      rule: "self.retention.keepYears >= 1 || self.sinks.all(sink, !has(sink.s3) || sink.s3.objectLock == 'none')",
      message: `s3.objectLock ${lockNeedsYears}`,
    }),
  });

/** What is recorded of the requests that a Service or Namespace takes, and how. */
export const auditPolicy = z
  .strictObject({
    apiVersion: z.literal("hedgerow.dev/v1alpha1"),
    kind: z.literal("AuditPolicy"),
    metadata,
    spec,
  })
  .superRefine(({ metadata: { namespace }, spec }, context) => {
    for (const [index, { kind, name }] of spec.targetRefs.entries())
      if (kind === "Namespace" && name !== namespace)
        context.addIssue({
          code: "custom",
          path: ["spec", "targetRefs", index, "name"],
          message: `must be the policy's own namespace, ${namespace}`,
          input: name,
        });
  });

export type AuditPolicy = z.infer<typeof auditPolicy>;
