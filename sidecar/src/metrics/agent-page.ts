import type { Family } from "./family.ts";
import { type InspectMetrics, inspectFamilies } from "./inspect-families.ts";

/** What the agent counts about itself. */
export interface AgentMetrics {
  /** Seconds until the SVID expires, negative when it has; undefined without one. */
  readonly svidSecondsLeft: number | undefined;
  readonly rotations: number;
  readonly identityFailures: number;
  readonly relayConnected: boolean;
  readonly envoyConnected: boolean;
  readonly rejections: number;
  readonly secretRejections: number;
  readonly envoyRestarts: number;
  readonly ready: boolean;
  /** Resources that Envoy has acknowledged, by type URL. */
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly inspect: InspectMetrics;
}

/** The agent's own Prometheus page (text format 0.0.4). */
export function agentPage(metrics: AgentMetrics): string {
  const families: readonly Family[] = [
    [
      "hedgerow_agent_svid_expiry_seconds",
      "gauge",
      "Seconds until the SVID expires",
      metrics.svidSecondsLeft === undefined ? [] : [["", metrics.svidSecondsLeft]],
    ],
    ["hedgerow_agent_svid_rotations_total", "counter", "SVIDs received", [["", metrics.rotations]]],
    [
      "hedgerow_agent_svid_failures_total",
      "counter",
      "Failed attempts to get an SVID",
      [["", metrics.identityFailures]],
    ],
    [
      "hedgerow_agent_relay_connected",
      "gauge",
      "1 while the relay's stream to this peer is open",
      [
        ['{peer="control_plane"}', Number(metrics.relayConnected)],
        ['{peer="envoy"}', Number(metrics.envoyConnected)],
      ],
    ],
    [
      "hedgerow_agent_nacks_total",
      "counter",
      "Configuration and secrets that Envoy refused",
      [
        ['{service="ads"}', metrics.rejections],
        ['{service="sds"}', metrics.secretRejections],
      ],
    ],
    [
      "hedgerow_agent_envoy_restarts_total",
      "counter",
      "Starts of Envoy after the first",
      [["", metrics.envoyRestarts]],
    ],
    ["hedgerow_agent_ready", "gauge", "1 while the workload takes traffic", [["", Number(metrics.ready)]]],
    [
      "hedgerow_agent_resources",
      "gauge",
      "Resources that Envoy has acknowledged",
      [...metrics.acknowledged].map(([typeUrl, count]) => [`{type="${shortType(typeUrl)}"}`, count]),
    ],
    ...inspectFamilies(metrics.inspect),
  ];
  return families
    .filter(([, , , samples]) => samples.length > 0)
    .map(([name, type, help, samples]) =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
        "",
      ].join("\n"),
    )
    .join("");
}

function shortType(typeUrl: string): string {
  return (typeUrl.split(".").at(-1) ?? "").replace(/[^A-Za-z0-9]/g, "");
}
