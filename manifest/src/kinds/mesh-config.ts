import { z } from "zod";
import { dnsSubdomain, durationMs, metadata } from "./fields.ts";

/** Settings of the whole mesh: one object, named `mesh`. Defaults apply where a field is absent; without it, the last one stays in force. */
export const meshConfig = z.strictObject({
  apiVersion: z.literal("hedgerow.dev/v1alpha1"),
  kind: z.literal("MeshConfig"),
  metadata: metadata.extend({ name: z.literal("mesh") }),
  spec: z.strictObject({
    /** The SPIFFE trust domain. Fixed once the certificate authority exists. */
    trustDomain: dnsSubdomain,
    identity: z
      .strictObject({
        /** Lifetime of a workload's SVID; renewed at about half of it. Default 24h. */
        lifetime: durationMs({ minMs: 30_000, maxMs: 30 * 24 * 3_600_000 }).prefault("24h"),
      })
      .prefault({}),
    mtls: z
      .strictObject({
        /**
         * What pods take from callers without an identity: `permissive` plain text too (the default, so that a namespace can
         * join while its callers have not), `strict` nothing. A namespace's label hedgerow.dev/mtls goes before. Workloads
         * outside Kubernetes are always strict.
         */
        mode: z.enum(["permissive", "strict"]).default("permissive"),
      })
      .prefault({}),
    outbound: z
      .strictObject({
        /** What pods get at addresses that no Service of the mesh has: `passthrough` (the default), or `registry-only`: nothing. */
        mode: z.enum(["passthrough", "registry-only"]).default("passthrough"),
      })
      .prefault({}),
    access: z
      .strictObject({
        /** What a call to a service without an AccessPolicy gets: `allow` any identity of the mesh (the default), or `deny`. */
        default: z.enum(["allow", "deny"]).default("allow"),
      })
      .prefault({}),
  }),
});

export type MeshConfig = z.infer<typeof meshConfig>;
