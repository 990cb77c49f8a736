import { z } from "zod";
import { celMatches, celRules, dnsLabel, listMap, metadata, namespacedName } from "./fields.ts";
import { keepsNull, serviceTarget, targetRefs } from "./refs.ts";

/** What a caller does with a predictor, independent of the protocol it speaks. */
export const accessMethod = z.enum(["infer", "metadata", "ready", "live"]);
export type AccessMethod = z.infer<typeof accessMethod>;

/** A service account as NAMESPACE/SERVICE-ACCOUNT, or every service account of a namespace. */
export type Principal = { readonly serviceAccount: string } | { readonly namespace: string };

const onePrincipal = "must have exactly one of serviceAccount and namespace";

const principal = z
  .strictObject({
    serviceAccount: namespacedName.optional().describe("A service account, as NAMESPACE/SERVICE-ACCOUNT."),
    namespace: dnsLabel.optional().describe("Every service account of a namespace."),
  })
  .meta(celRules({ rule: "has(self.serviceAccount) != has(self.namespace)", message: onePrincipal }))
  // Not a union: of one that names both, or misspells one, a union says nothing that helps.
  .transform(({ serviceAccount, namespace }, context): Principal => {
    if (serviceAccount !== undefined && namespace === undefined) return { serviceAccount };
    if (namespace !== undefined && serviceAccount === undefined) return { namespace };
    context.addIssue({ code: "custom", message: onePrincipal });
    return z.NEVER;
  });

const pathPattern = /^\/[^*?#]*\*?$/;
const pathMessage = "must start with / and may end in *";

/** Who may call what of a Service. Anything that no `allow` entry names is refused. */
export const accessPolicy = z.strictObject({
  apiVersion: z.literal("hedgerow.dev/v1alpha1"),
  kind: z.literal("AccessPolicy"),
  metadata,
  spec: z
    .strictObject({
      targetRefs: targetRefs(serviceTarget, "Services of the policy's own namespace."),
      allow: z
        .array(
          z.strictObject({
            name: dnsLabel.describe("Names the rule in logs."),
            from: z.array(principal).min(1).max(64).describe("Callers; any one of them."),
            methods: z
              .array(accessMethod)
              .min(1)
              .max(16)
              .optional()
              .meta({
                ...keepsNull,
                description:
                  "Methods of the Open Inference Protocol, whatever the caller speaks. Neither `methods` nor `paths`: everything.",
              }),
            paths: z
              .array(
                z
                  .string()
                  .min(1)
                  .max(1024)
                  .regex(pathPattern, pathMessage)
                  .meta(celRules({ rule: celMatches(pathPattern), message: pathMessage })),
              )
              .min(1)
              .max(64)
              .optional()
              .meta({
                ...keepsNull,
                description: "HTTP paths, exact, or ending in * for a prefix; beside `methods`, either may match.",
              }),
          }),
        )
        .max(64)
        .meta({ ...listMap("name"), description: "What is allowed, and nothing else. Empty: nobody may call." }),
    })
    .describe("Who may call what of a Service. Anything that no `allow` entry names is refused."),
});

export type AccessPolicy = z.infer<typeof accessPolicy>;
