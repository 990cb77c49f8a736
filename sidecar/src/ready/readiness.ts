import type { WorkloadConfig } from "@hedgerow/proto/hedgerow/agent/v1/config";
import { requiredListeners } from "../relay/workload-config.ts";

/** What one look at the workload found. */
export interface Observation {
  readonly svidValid: boolean;
  /** Undefined until the control plane has said what this workload is. */
  readonly workloadConfig: WorkloadConfig | undefined;
  /** Undefined when Envoy's admin interface did not answer. */
  readonly envoy: { readonly live: boolean; readonly listeners: ReadonlySet<string> } | undefined;
  /** Ports of the application that did not accept a connection. */
  readonly closedAppPorts: readonly number[];
}

export interface Readiness {
  readonly ready: boolean;
  /** For an operator; empty when ready. */
  readonly reason: string;
}

/** Failed looks in a row before a ready workload stops being one: one hiccup takes nobody out of service. */
const FAILURES_BEFORE_UNREADY = 2;
/** Limit of hedgerow.agent.v1.ReportRequest.reason, bytes. */
const MAX_REASON = 512;

/** Whether the workload can take traffic, by one observation. */
export function assess(observation: Observation): Readiness {
  const proxy = assessProxy(observation);
  const { closedAppPorts } = observation;
  if (!proxy.ready || closedAppPorts.length === 0) return proxy;
  return unready(`application does not accept connections on ${closedAppPorts.join(", ")}`);
}

/** Whether the proxy can take traffic, whatever the application does: in a pod, Kubernetes itself asks that one. */
export function assessProxy({ svidValid, workloadConfig, envoy }: Observation): Readiness {
  if (!svidValid) return unready("no valid SVID");
  if (workloadConfig === undefined) return unready("no configuration from the control plane yet");
  if (envoy === undefined) return unready("Envoy does not answer");
  if (!envoy.live) return unready("Envoy is not live yet");
  const missing = requiredListeners(workloadConfig).filter((name) => !envoy.listeners.has(name));
  if (missing.length > 0) return unready(`listeners not active: ${missing.join(", ")}`);
  return { ready: true, reason: "" };
}

function unready(reason: string): Readiness {
  return { ready: false, reason: reason.slice(0, MAX_REASON) };
}

/** Readiness over time: up at the first success, down at the second failure in a row. */
export class ReadinessTracker {
  #current: Readiness = { ready: false, reason: "starting" };
  #failures = 0;

  get current(): Readiness {
    return this.#current;
  }

  /** Takes in one look; true when what should be reported has changed. */
  observe(next: Readiness): boolean {
    this.#failures = next.ready ? 0 : this.#failures + 1;
    if (this.#current.ready && !next.ready && this.#failures < FAILURES_BEFORE_UNREADY) return false;
    const changed = next.ready !== this.#current.ready || next.reason !== this.#current.reason;
    this.#current = next;
    return changed;
  }
}
