import { create } from "@bufbuild/protobuf";
import { type WorkloadConfig, WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { MeshWorkload } from "../model/model.ts";
import { ms } from "./limits.ts";
import { INBOUND_CAPTURE, inboundName, OUTBOUND_CAPTURE, outboundName } from "./names.ts";

/** What the agent must know of its own workload. */
export function workloadConfig({ inbound, upstreams, drainMs, capture }: MeshWorkload): WorkloadConfig {
  // Kubernetes itself asks a pod's application whether it is ready.
  if (capture !== undefined)
    return create(WorkloadConfigSchema, { listeners: [INBOUND_CAPTURE, OUTBOUND_CAPTURE], drain: ms(drainMs) });
  return create(WorkloadConfigSchema, {
    inbound: inbound.map(({ port, appPort }) => ({ port, appPort, listener: inboundName(port) })),
    upstreams: upstreams.map(({ service, localPort }) => ({
      service: service.slice(0, service.lastIndexOf("/")),
      localPort,
      listener: outboundName(service),
    })),
    drain: ms(drainMs),
  });
}
