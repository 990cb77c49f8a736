import type { BenchResult } from "../bench.ts";
import type { Summary } from "../quantiles.ts";
import type { FirstSnapshot } from "./first-snapshot.ts";
import type { Size } from "./populate.ts";

export interface Figures {
  readonly size: Size;
  /** Of an empty cluster. */
  readonly idle: FirstSnapshot;
  readonly full: FirstSnapshot;
  readonly patch: Summary;
  readonly apply: { readonly effectiveMs: Summary; readonly kubectlMs: Summary };
  readonly injection: Summary;
  readonly agentRssMb: number;
}

export function resultOf(figures: Figures): BenchResult {
  const { size, idle, full, patch, apply, injection, agentRssMb } = figures;
  const pods = size.services * size.podsPerService;
  const row = (what: string, figure: string, aim = "") => ({ what, figure, aim });
  const both = ({ p50, p99 }: Summary, digits = 0) => `${p50.toFixed(digits)} ms, ${p99.toFixed(digits)} ms`;
  return {
    rows: [
      row(
        `first snapshot of ${pods} pods, of an empty cluster`,
        `${full.seconds.toFixed(2)} s, ${idle.seconds.toFixed(2)} s`,
      ),
      row("  CPU, of an empty cluster", `${full.cpuSeconds.toFixed(2)} s, ${idle.cpuSeconds.toFixed(2)} s`, "≤ 2 s"),
      row(
        "  RSS above idle, idle",
        `${(full.rssMb - idle.rssMb).toFixed(0)} MB, ${idle.rssMb.toFixed(0)} MB`,
        "≤ 150 MB",
      ),
      row("weight written → in Envoy, median, p99", both(patch), "≤ 250 ms"),
      row("kubectl apply → in Envoy, median, p99", both(apply.effectiveMs)),
      row("  until kubectl ends, median, p99", both(apply.kubectlMs)),
      row("injection, median, p99", both(injection, 1), "≤ 50 ms"),
      row("agent of a pod, RSS", `${agentRssMb.toFixed(0)} MB`, "≤ 90 MB"),
    ],
    json: {
      pods,
      services: size.services,
      firstSnapshotSeconds: full.seconds,
      cpuSeconds: full.cpuSeconds,
      idleCpuSeconds: idle.cpuSeconds,
      rssMbAboveIdle: full.rssMb - idle.rssMb,
      applyToEffectiveMs: { median: patch.p50, p99: patch.p99 },
      kubectlApplyToEffectiveMs: { median: apply.effectiveMs.p50, p99: apply.effectiveMs.p99 },
      kubectlMs: { median: apply.kubectlMs.p50, p99: apply.kubectlMs.p99 },
      webhookP99Ms: injection.p99,
      agentRssMb,
    },
  };
}
