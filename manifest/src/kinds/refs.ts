// What policies refer to.
import { z } from "zod";
import { dnsSubdomain, listMap } from "./fields.ts";

/** A Service of the policy's own namespace. */
export const serviceTarget = z.strictObject({
  group: z.enum(["", "core"]).default("").describe("The core group, in which Services are."),
  kind: z.literal("Service").describe("A Service."),
  name: dnsSubdomain.describe("Its name."),
});

/** What a policy is about: 1 to 16, told apart by all that they say. */
export function targetRefs<T extends z.ZodType>(target: T, description: string) {
  return z
    .array(target)
    .min(1)
    .max(16)
    .meta({ ...listMap("group", "kind", "name"), description });
}

/** Else an API server drops a field with nothing behind its colon, and the object means less than its author thinks. */
export const keepsNull = { nullable: true };

/** A secret of the agent's own, by the name of a Kubernetes Secret; its keys never pass the control plane. */
export const secretRef = z.strictObject({
  secretName: dnsSubdomain.describe(
    "Name of a secret that the sidecar has: a Secret named in hedgerow.dev/audit-secrets, or a folder of HEDGEROW_SECRETS.",
  ),
});
