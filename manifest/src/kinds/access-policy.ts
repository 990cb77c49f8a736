import { z } from "zod";
import { dnsLabel, dnsSubdomain, metadata, namespacedName } from "./fields.ts";

/** What a caller does with a predictor, independent of the protocol it speaks. */
export const accessMethod = z.enum(["infer", "metadata", "ready", "live"]);
export type AccessMethod = z.infer<typeof accessMethod>;

/** A service account as NAMESPACE/SERVICE-ACCOUNT, or every service account of a namespace. */
export type Principal = { readonly serviceAccount: string } | { readonly namespace: string };

const principal = z
  .strictObject({ serviceAccount: namespacedName.optional(), namespace: dnsLabel.optional() })
  // Not a union: of one that names both, or misspells one, a union says nothing that helps.
  .transform(({ serviceAccount, namespace }, context): Principal => {
    if (serviceAccount !== undefined && namespace === undefined) return { serviceAccount };
    if (namespace !== undefined && serviceAccount === undefined) return { namespace };
    context.addIssue({ code: "custom", message: "must have exactly one of serviceAccount and namespace" });
    return z.NEVER;
  });

/** Who may call what of a Service. Anything that no `allow` entry names is refused. */
export const accessPolicy = z.strictObject({
  apiVersion: z.literal("hedgerow.dev/v1alpha1"),
  kind: z.literal("AccessPolicy"),
  metadata,
  spec: z.strictObject({
    /** Services of the policy's own namespace. */
    targetRefs: z
      .array(
        z.strictObject({ group: z.enum(["", "core"]).default(""), kind: z.literal("Service"), name: dnsSubdomain }),
      )
      .min(1)
      .max(16),
    /** Empty: nobody may call. */
    allow: z
      .array(
        z.strictObject({
          /** Names the rule in logs. */
          name: dnsLabel,
          from: z.array(principal).min(1).max(64),
          /** Methods of the Open Inference Protocol. Neither `methods` nor `paths`: everything. */
          methods: z.array(accessMethod).min(1).optional(),
          /** HTTP paths, exact, or ending in * for a prefix; beside `methods`, either may match. */
          paths: z
            .array(
              z
                .string()
                .min(1)
                .max(1024)
                .regex(/^\/[^*?#]*\*?$/, "must start with / and may end in *"),
            )
            .min(1)
            .max(64)
            .optional(),
        }),
      )
      .max(64),
  }),
});

export type AccessPolicy = z.infer<typeof accessPolicy>;
