import { z } from "zod";
import { dnsSubdomain, durationMs, metadata } from "./fields.ts";

/** Settings of the whole mesh: one object, named `mesh`. Defaults apply where a field is absent; without it, the last one stays in force. */
export const meshConfig = z.strictObject({
  apiVersion: z.literal("hedgerow.dev/v1alpha1"),
  kind: z.literal("MeshConfig"),
  metadata: metadata.extend({ name: z.literal("mesh") }),
  spec: z
    .strictObject({
      trustDomain: dnsSubdomain.describe("The SPIFFE trust domain. Fixed once the certificate authority exists."),
      identity: z
        .strictObject({
          lifetime: durationMs({ minMs: 30_000, maxMs: 30 * 24 * 3_600_000 })
            .prefault("24h")
            .describe("Lifetime of a workload's SVID; renewed at about half of it."),
        })
        .prefault({})
        .describe("Certificates of workloads."),
      mtls: z
        .strictObject({
          mode: z
            .enum(["permissive", "strict"])
            .default("permissive")
            .describe(
              "What pods take from callers without an identity: `permissive` plain text too, so that a namespace can join " +
                "while its callers have not; `strict` nothing. A namespace's label hedgerow.dev/mtls goes before. " +
                "Workloads outside Kubernetes are always strict.",
            ),
        })
        .prefault({})
        .describe("Mutual TLS between pods."),
      outbound: z
        .strictObject({
          mode: z
            .enum(["passthrough", "registry-only"])
            .default("passthrough")
            .describe(
              "What pods get at addresses that no Service of the mesh has: `passthrough` the address itself, `registry-only` nothing.",
            ),
        })
        .prefault({})
        .describe("Calls that leave the mesh."),
      access: z
        .strictObject({
          default: z
            .enum(["allow", "deny"])
            .default("allow")
            .describe(
              "What a call to a service without an AccessPolicy gets: `allow` any identity of the mesh, or `deny`.",
            ),
        })
        .prefault({})
        .describe("Who may call what, where no AccessPolicy says."),
    })
    .describe("Settings of the whole mesh. Defaults apply where a field is absent."),
});

export type MeshConfig = z.infer<typeof meshConfig>;
