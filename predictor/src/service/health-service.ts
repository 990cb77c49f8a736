import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "@hedgerow/proto/grpc/health/v1/health";
import type { HealthState } from "./health-state.ts";

/** The services whose health can be asked for; the empty name is the server as a whole. */
const SERVICES: ReadonlySet<string> = new Set(["", "inference.GRPCInferenceService"]);

/**
 * grpc.health.v1: SERVING or NOT_SERVING, the same for every service. Watch ends when the server drains, after it has said
 * NOT_SERVING, so that it does not hold the drain up. Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md
 */
export function healthService(health: HealthState): ServiceImpl<typeof Health> {
  const status = () => (health.serving ? Status.SERVING : Status.NOT_SERVING);
  return {
    check({ service }) {
      if (!SERVICES.has(service)) throw new ConnectError("no such service", Code.NotFound);
      return { status: status() };
    },
    async *watch({ service }, { signal }) {
      const known = SERVICES.has(service);
      let last: Status | undefined;
      while (!signal.aborted) {
        const now = known ? status() : Status.SERVICE_UNKNOWN;
        if (now !== last) yield { status: now };
        last = now;
        if (health.draining) return;
        await health.changed(signal);
      }
    },
  };
}
