import { create } from "@bufbuild/protobuf";
import { type WorkloadConfig, WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { MeshWorkload } from "../model/model.ts";
import { ms } from "./limits.ts";
import { inboundName, outboundName } from "./names.ts";

/** What the agent must know of its own workload. */
export function workloadConfig({ inbound, upstreams, drainMs }: MeshWorkload): WorkloadConfig {
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
