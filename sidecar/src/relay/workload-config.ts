import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { ResourceSchema } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { type WorkloadConfig, WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";

/** Drain time where the configuration names none, and the longest that it may name. */
const DEFAULT_DRAIN_MS = 5_000;
const MAX_DRAIN_MS = 600_000;

/** Decodes the WorkloadConfig inside an encoded envoy.service.discovery.v3.Resource, and checks its ports. */
export function decodeWorkloadConfig(
  encoded: Uint8Array,
): { readonly ok: true; readonly value: WorkloadConfig } | { readonly ok: false; readonly message: string } {
  let value: WorkloadConfig | undefined;
  try {
    const { resource } = fromBinary(ResourceSchema, encoded);
    value = resource && anyUnpack(resource, WorkloadConfigSchema);
  } catch (error) {
    return { ok: false, message: `decode WorkloadConfig: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (value === undefined) return { ok: false, message: "resource holds no WorkloadConfig" };
  for (const { port, appPort } of value.inbound) {
    if (port < 1 || port > 65_535) return { ok: false, message: `inbound port ${port} is outside 1–65535` };
    if (appPort < 1 || appPort > 65_535)
      return { ok: false, message: `inbound app_port ${appPort} is outside 1–65535` };
  }
  return { ok: true, value };
}

/** How long connections may finish after SIGTERM, milliseconds, 0 … 600000. */
export function drainMs(config: WorkloadConfig | undefined): number {
  if (config?.drain === undefined) return DEFAULT_DRAIN_MS;
  const ms = Number(config.drain.seconds) * 1000 + config.drain.nanos / 1e6;
  return Math.min(Math.max(0, ms), MAX_DRAIN_MS);
}

/** Names of every Listener that must be active before the workload is ready. */
export function requiredListeners(config: WorkloadConfig): string[] {
  return [...[...config.inbound, ...config.upstreams].map(({ listener }) => listener), ...config.listeners];
}
