import { z } from "zod";
import { labels, metadata, port, portName } from "./fields.ts";

/** Kubernetes' core Service, as far as a mesh reads it: which workloads stand behind a name, on which port. */
export const service = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("Service"),
  metadata,
  spec: z.strictObject({
    /** The same to a mesh; what ExternalName means lies outside it. */
    type: z.enum(["ClusterIP", "NodePort", "LoadBalancer"]).optional(),
    /** Labels that a Workload of the same namespace must carry, all of them. */
    selector: labels.refine((wanted) => Object.keys(wanted).length > 0, "must have at least one label"),
    sessionAffinity: z.literal("None").optional(),
    internalTrafficPolicy: z.literal("Cluster").optional(),
    publishNotReadyAddresses: z.literal(false).optional(),
    ports: z
      .array(
        z.strictObject({
          name: z.string().max(63).optional(),
          protocol: z.literal("TCP").optional(),
          port,
          /** The application's port: a Workload's inbound `appPort`, or its `name`. Default: the number in `port`. */
          targetPort: z.union([port, portName]).optional(),
          appProtocol: z.string().max(63).optional(),
        }),
      )
      .min(1)
      .max(64),
  }),
});

export type Service = z.infer<typeof service>;
