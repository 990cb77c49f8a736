import { z } from "zod";
import { dnsLabel, durationMs, ipAddress, listMap, metadata, namespacedName, port, portName } from "./fields.ts";

/** A sidecar outside Kubernetes, and the application behind it. Its node id is NAMESPACE/NAME. */
export const workload = z.strictObject({
  apiVersion: z.literal("hedgerow.dev/v1alpha1"),
  kind: z.literal("Workload"),
  metadata: metadata.extend({ name: dnsLabel }),
  spec: z
    .strictObject({
      serviceAccount: dnsLabel.describe("Who it is: spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/SERVICE-ACCOUNT."),
      address: ipAddress.describe("Where other sidecars reach this one: an IPv4 or IPv6 address."),
      region: dnsLabel.optional().describe("Where it runs. Bound to the join token; a mismatch is refused."),
      inbound: z
        .array(
          z.strictObject({
            name: portName.optional().describe("What a Service's targetPort may call this port by."),
            port: port.describe("The sidecar's port, reached by the mesh over mTLS."),
            appPort: port.describe("The application's port on 127.0.0.1."),
            protocol: z
              .enum(["http1", "http2", "grpc"])
              .describe("What the application speaks on appPort; http2 and grpc mean HTTP/2 without TLS."),
          }),
        )
        .max(64)
        .default([])
        .meta({ ...listMap("port"), description: "Ports that it serves." }),
      upstreams: z
        .array(
          z.strictObject({
            service: namespacedName.describe("NAMESPACE/NAME of a Service."),
            port: port.optional().describe("Port of the Service; may be left out where it has only one."),
            localPort: port.describe("The application calls the service at 127.0.0.1:localPort."),
          }),
        )
        .max(256)
        .default([])
        .meta({ ...listMap("localPort"), description: "Services that it calls." }),
      drain: durationMs({ minMs: 0, maxMs: 600_000 })
        .prefault("5s")
        .describe("How long connections may finish when the sidecar is asked to stop."),
    })
    .describe("A sidecar outside Kubernetes, and the application behind it."),
});

export type Workload = z.infer<typeof workload>;
