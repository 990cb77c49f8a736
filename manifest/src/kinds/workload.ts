import { z } from "zod";
import { dnsLabel, durationMs, metadata, namespacedName, port, portName } from "./fields.ts";

/** A sidecar outside Kubernetes, and the application behind it. Its node id is NAMESPACE/NAME. */
export const workload = z.strictObject({
  apiVersion: z.literal("hedgerow.dev/v1alpha1"),
  kind: z.literal("Workload"),
  metadata: metadata.extend({ name: dnsLabel }),
  spec: z.strictObject({
    /** spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT */
    serviceAccount: dnsLabel,
    /** Where other sidecars reach this one. */
    address: z.union([z.ipv4(), z.ipv6()], "must be an IPv4 or IPv6 address"),
    /** Bound to the join token; a mismatch is refused. */
    region: dnsLabel.optional(),
    inbound: z
      .array(
        z.strictObject({
          /** What a Service's targetPort may call this port by. */
          name: portName.optional(),
          /** The sidecar's port, reached by the mesh over mTLS. */
          port,
          /** The application's port on 127.0.0.1. */
          appPort: port,
          /** What the application speaks on `appPort`; http2 and grpc mean HTTP/2 without TLS. */
          protocol: z.enum(["http1", "http2", "grpc"]),
        }),
      )
      .max(64)
      .default([]),
    upstreams: z
      .array(
        z.strictObject({
          /** NAMESPACE/NAME of a Service. */
          service: namespacedName,
          /** Port of the Service; may be left out where it has only one. */
          port: port.optional(),
          /** The application calls the service at 127.0.0.1:localPort. */
          localPort: port,
        }),
      )
      .max(256)
      .default([]),
    /** How long connections may finish when the sidecar is asked to stop. Default 5s. */
    drain: durationMs({ minMs: 0, maxMs: 600_000 }).prefault("5s"),
  }),
});

export type Workload = z.infer<typeof workload>;
