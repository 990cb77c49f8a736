import { z } from "zod";
import { dnsLabel, dnsSubdomain, metadata, port } from "./fields.ts";

const serviceRef = {
  group: z.enum(["", "core"]).default(""),
  kind: z.literal("Service").default("Service"),
  name: dnsSubdomain,
  namespace: dnsLabel.optional(),
};

const gatewayGroup = "gateway.networking.k8s.io";

/**
 * What the Gateway API's own CRD writes where a parent's group is left out is the group of Gateways. There are no Services
 * in it: a parent of kind Service means the core one.
 */
const parentGroup = z
  .enum(["", "core", gatewayGroup])
  .default("")
  .transform((group) => (group === gatewayGroup ? "" : group));

const pathMatch = z.strictObject({
  type: z.enum(["Exact", "PathPrefix", "RegularExpression"]).default("PathPrefix"),
  value: z.string().min(1).max(1024).startsWith("/").default("/"),
});

const headerMatch = z.strictObject({
  type: z.enum(["Exact", "RegularExpression"]).default("Exact"),
  /** Case-insensitive (RFC 9110 section 5.1). */
  name: z
    .string()
    .min(1)
    .max(256)
    .regex(/^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/, "must be an HTTP header name"),
  value: z.string().min(1).max(4096),
});

/** Gateway API HTTPRoute with Services as parents (GAMMA): weights and matches. */
export const httpRoute = z.strictObject({
  apiVersion: z.literal("gateway.networking.k8s.io/v1"),
  kind: z.literal("HTTPRoute"),
  metadata,
  spec: z.strictObject({
    parentRefs: z
      .array(
        z.strictObject({
          ...serviceRef,
          group: parentGroup,
          // In the Gateway API a parent without a kind is a Gateway: a Service has to be named.
          kind: z.literal("Service"),
          port: port.optional(),
        }),
      )
      .min(1)
      .max(32),
    rules: z
      .array(
        z.strictObject({
          name: z.string().max(253).optional(),
          /** Any one must match; all conditions of one must hold. None: every request. */
          matches: z
            .array(
              z.strictObject({
                path: pathMatch.optional(),
                headers: z.array(headerMatch).max(16).default([]),
                method: z
                  .enum(["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"])
                  .optional(),
              }),
            )
            .max(64)
            .default([]),
          backendRefs: z
            .array(
              z.strictObject({
                ...serviceRef,
                /** May be left out where the Service has only one port. */
                port: port.optional(),
                /** Share of the sum of the rule's weights. Default 1. */
                weight: z.number().int().min(0).max(1_000_000).default(1),
              }),
            )
            .min(1)
            .max(16),
        }),
      )
      .min(1)
      .max(16),
  }),
});

export type HTTPRoute = z.infer<typeof httpRoute>;
