import { z } from "zod";
import { metadata } from "./fields.ts";
import { sizeInBytes } from "./quantities.ts";
import { serviceTarget, targetRefs } from "./refs.ts";

/** How requests of a Service travel. */
export const trafficPolicy = z.strictObject({
  apiVersion: z.literal("hedgerow.dev/v1alpha1"),
  kind: z.literal("TrafficPolicy"),
  metadata,
  spec: z
    .strictObject({
      targetRefs: targetRefs(serviceTarget, "Services of the policy's own namespace."),
      maxRequestBytes: sizeInBytes({ minBytes: 1024, maxBytes: 256 * 1_048_576 })
        .optional()
        .describe(
          "Size that one request may have, as it comes and decompressed; a larger one is refused. From 1Ki to 256Mi, 4Mi by default. The one limit: inspection, retries and the predictor agree on it.",
        ),
    })
    .describe("How requests of a Service travel."),
});

export type TrafficPolicy = z.infer<typeof trafficPolicy>;
