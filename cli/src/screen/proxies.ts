import {
  isHealthy,
  type ProxiesView,
  type ProxyTypeView,
  type ProxyView,
  type TypeState,
} from "../admin/proxies-view.ts";
import { age } from "./age.ts";
import { count } from "./count.ts";
import { plain, type Style } from "./paint.ts";
import { type Cell, renderTable, type TableOptions } from "./table.ts";

/** The discovery service of each type, by its message; the last is what the agent takes for itself. */
const columns = [
  ["CDS", "Cluster"],
  ["EDS", "ClusterLoadAssignment"],
  ["LDS", "Listener"],
  ["RDS", "RouteConfiguration"],
  ["AGENT", "WorkloadConfig"],
] as const;

const marks: Readonly<Record<TypeState, Cell>> = {
  current: { text: "✓", style: "good" },
  pending: { text: "…", style: "middling" },
  rejected: { text: "!", style: "bad" },
};

/** What does each proxy run, and what keeps it from running the rest? */
export function renderProxies({ proxies }: ProxiesView, nowMs: number, options: TableOptions = {}): string {
  const { paint = plain } = options;
  if (proxies.length === 0)
    return "No proxy has connected yet: `hedgerow token create NAMESPACE/NAME` makes the token that an agent starts with.\n";
  const titles = ["NODE", "READY", "CONNECTED", "ENVOY", ...columns.map(([title]) => title), "WHY"];
  const table = renderTable({ titles, rows: proxies.map((proxy) => renderProxy(proxy, nowMs)) }, options);
  const healthy = proxies.filter(isHealthy).length;
  if (healthy === proxies.length)
    return `${table}\n${paint("good", "✓")} ${count(healthy, "proxy", "proxies")}, all ready and current\n`;
  const legend = paint("quiet", "  ✓ current  … not acknowledged yet  ! refused by Envoy  – nothing held");
  const total = count(proxies.length, "proxy", "proxies");
  return `${table}\n${paint("bad", "!")} ${healthy} of ${total} ready and current\n${legend}\n`;
}

function renderProxy(proxy: ProxyView, nowMs: number): readonly Cell[] {
  const { nodeId, ready, connected, connectedAt, envoyVersion, types } = proxy;
  return [
    { text: nodeId },
    yesOrNo(ready),
    connected && connectedAt !== null ? { text: age(connectedAt, nowMs), style: "good" } : yesOrNo(connected),
    { text: envoyVersion || "–" },
    ...columns.map(([title]): Cell => {
      const type = types.find((candidate) => titleOf(candidate) === title);
      return type === undefined ? { text: "–" } : marks[type.state];
    }),
    { text: why(proxy) },
  ];
}

function yesOrNo(value: boolean): Cell {
  const style: Style = value ? "good" : "bad";
  return { text: value ? "yes" : "no", style };
}

function why({ connected, ready, readyReason, types }: ProxyView): string {
  const refused = types.filter(({ state }) => state === "rejected").map((type) => `${titleOf(type)}: ${type.error}`);
  const pending = types.filter(({ state }) => state === "pending").map(titleOf);
  return [
    ...(connected ? [] : ["disconnected"]),
    ...refused,
    ...(ready || readyReason === "" ? [] : [readyReason]),
    ...(connected && pending.length > 0 ? [`${pending.join(", ")} not acknowledged yet`] : []),
  ].join("; ");
}

function titleOf({ typeUrl }: ProxyTypeView): string {
  return columns.find(([, message]) => typeUrl.endsWith(`.${message}`))?.[0] ?? typeUrl;
}
