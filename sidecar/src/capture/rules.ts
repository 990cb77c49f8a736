import type { Capture } from "./settings.ts";

/** Fixed between the sidecar's image and the control plane, which puts Envoy's listeners there. */
const OUTBOUND_PORT = 15_001;
const INBOUND_PORT = 15_006;
/** Metrics and probes: kubelet and Prometheus have no certificate of the mesh. */
const AGENT_PORT = 15_020;
/** User of agent and Envoy. Their group tells nothing: any pod may have it, and would go around its proxy. */
const PROXY_UID = 1_337;
/** Where Envoy's connections to the application, and the agent's probes, come from. */
const FROM_PROXY = "127.0.0.6/32";
/** A resolver turns to TCP when an answer is too long for UDP, which is not captured: names must not need the proxy. */
const DNS_PORT = 53;

const INBOUND = "hedgerow-inbound";
const OUTBOUND = "hedgerow-outbound";

/** What goes into one table: our own chains, replaced as a whole, and the rules that lead into them, added where they are not yet. */
export interface TableRules {
  readonly table: "nat" | "filter";
  readonly chains: readonly string[];
  /** As iptables-save prints them, without `-A CHAIN`. */
  readonly entries: readonly { readonly chain: string; readonly rule: string }[];
  readonly rules: readonly string[];
}

/** IPv4: every connection in scope is led to Envoy. */
export function redirectRules(capture: Capture): TableRules {
  return {
    table: "nat",
    chains: [INBOUND, OUTBOUND],
    entries: [
      { chain: "PREROUTING", rule: `-p tcp -j ${INBOUND}` },
      { chain: "OUTPUT", rule: `-p tcp -j ${OUTBOUND}` },
    ],
    rules: [...inbound(capture, `REDIRECT --to-ports ${INBOUND_PORT}`), ...outbound(capture)],
  };
}

/**
 * IPv6: nothing is captured, so new connections from outside to what would be are refused, lest they go around mTLS.
 * Answers to the pod's own connections are let in.
 */
export function refuseRules(capture: Capture): TableRules {
  return {
    table: "filter",
    chains: [INBOUND],
    entries: [{ chain: "INPUT", rule: `! -i lo -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j ${INBOUND}` }],
    rules: inbound(capture, "REJECT --reject-with tcp-reset"),
  };
}

/** In both tables the same connections: those that Envoy is to take. */
function inbound({ inboundPorts, excludeInboundPorts }: Capture, verdict: string): readonly string[] {
  return [
    ...[AGENT_PORT, ...excludeInboundPorts].map((port) => `-A ${INBOUND} -p tcp --dport ${port} -j RETURN`),
    ...(inboundPorts === "*"
      ? [`-A ${INBOUND} -p tcp -j ${verdict}`]
      : inboundPorts.map((port) => `-A ${INBOUND} -p tcp --dport ${port} -j ${verdict}`)),
  ];
}

function outbound(capture: Capture): readonly string[] {
  const redirect = `REDIRECT --to-ports ${OUTBOUND_PORT}`;
  const { outboundIpRanges, outboundPorts } = capture;
  const byProxy = `-m owner --uid-owner ${PROXY_UID}`;
  const excludedPorts = [...capture.excludeOutboundPorts, ...(outboundPorts.includes(DNS_PORT) ? [] : [DNS_PORT])];
  const rules = [
    // From Envoy to the application, by the pod's own address.
    `-o lo -s ${FROM_PROXY} -j RETURN`,
    // From Envoy to its own pod, which it chose among a Service's endpoints: as from any other pod.
    `-o lo ! -d 127.0.0.0/8 -p tcp ${byProxy} -j ${INBOUND}`,
    `${byProxy} -j RETURN`,
    // Within the pod.
    "-o lo -j RETURN",
    "-d 127.0.0.0/8 -j RETURN",
    ...excludedPorts.map((port) => `-p tcp --dport ${port} -j RETURN`),
    ...capture.excludeOutboundIpRanges.map((range) => `-d ${range} -j RETURN`),
    ...outboundPorts.map((port) => `-p tcp --dport ${port} -j ${redirect}`),
    ...(outboundIpRanges === "*"
      ? [`-p tcp -j ${redirect}`]
      : outboundIpRanges.map((range) => `-d ${range} -p tcp -j ${redirect}`)),
  ];
  return rules.map((rule) => `-A ${OUTBOUND} ${rule}`);
}

/**
 * Input of `iptables-restore --noflush`, which takes all of it or nothing: our chains anew, and what leads into them unless
 * `saved`, the output of iptables-save, has it. So a container that is restarted changes nothing twice. Ours come first.
 */
export function restoreInput({ table, chains, entries, rules }: TableRules, saved: string): string {
  const present = new Set(saved.split("\n"));
  return [
    `*${table}`,
    ...chains.map((chain) => `:${chain} - [0:0]`),
    ...rules,
    ...entries
      .filter(({ chain, rule }) => !present.has(`-A ${chain} ${rule}`))
      .map(({ chain, rule }) => `-I ${chain} 1 ${rule}`),
    "COMMIT",
    "",
  ].join("\n");
}

/** What iptables-save must print once the rules are in force, and does not. Empty: they are. */
export function missingRules({ chains, entries, rules }: TableRules, saved: string): readonly string[] {
  const lines = saved.split("\n");
  const jumps = entries.map(({ chain, rule }) => `-A ${chain} ${rule}`).filter((line) => !lines.includes(line));
  const short = chains.filter((chain) => rules.filter(isOf(chain)).length !== lines.filter(isOf(chain)).length);
  return [...jumps, ...short];
}

function isOf(chain: string): (line: string) => boolean {
  return (line) => line.startsWith(`-A ${chain} `);
}

/** For the log of a pod: what was done, in a few lines. */
export function describeCapture(capture: Capture): readonly string[] {
  const but = (names: readonly (string | number)[]) => (names.length === 0 ? "" : ` but ${names.join(", ")}`);
  const some = (names: "*" | readonly (string | number)[]) =>
    names === "*" ? "all" : names.length === 0 ? "none" : names.join(", ");
  const { outboundIpRanges, outboundPorts, excludeOutboundIpRanges, excludeOutboundPorts } = capture;
  const ports = outboundPorts.length === 0 ? "" : `, and ports ${outboundPorts.join(", ")}`;
  const { withoutEffect } = capture;
  return [
    `inbound to ${INBOUND_PORT}: ports ${some(capture.inboundPorts)}${but([AGENT_PORT, ...capture.excludeInboundPorts])}`,
    `outbound to ${OUTBOUND_PORT}: ranges ${some(outboundIpRanges)}${ports}${but([...excludeOutboundIpRanges, ...excludeOutboundPorts.map((port) => `port ${port}`)])}`,
    ...(withoutEffect.length === 0 ? [] : [`without effect, since IPv6 is not captured: ${withoutEffect.join(", ")}`]),
  ];
}
