// The pod annotations that people set.

import { parseDurationMs } from "@hedgerow/manifest";
import { z } from "zod";
import { AUDIT_SECRETS, AUDIT_VOLUME_NAME } from "./audit-storage.ts";
import type { PodProblem } from "./problem.ts";
import { parseQuantity } from "./quantity.ts";

/** What the init container redirects: its HEDGEROW_CAPTURE. */
export interface Capture {
  /** CIDRs, or * alone; empty: none. */
  readonly outboundIpRanges: readonly string[];
  readonly excludeOutboundIpRanges: readonly string[];
  /** Captured whatever the range. */
  readonly outboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  /** Ports, or * alone; empty: none. */
  readonly inboundPorts: readonly (number | "*")[];
  readonly excludeInboundPorts: readonly number[];
}

/** Of both of our containers, as Kubernetes writes quantities. */
export interface ProxyResources {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}

export interface PodSettings {
  readonly capture: Capture;
  readonly drainMs: number;
  readonly resources: ProxyResources;
  /** The resource annotations that are set, by their full names. */
  readonly resourceAnnotations: readonly string[];
}

const PREFIX = "hedgerow.dev/";
/** Every entry becomes a rule of iptables. */
const MAX_ENTRIES = 256;
const DEFAULT_DRAIN_MS = 5_000;
const MAX_DRAIN_MS = 600_000;
const DEFAULT_CPU = "100m";
const DEFAULT_MEMORY = "128Mi";
/** Agent and Envoy do not run in less, and would be killed for ever. */
const LEAST_MEMORY_LIMIT = "128Mi";

const resourceNames = ["proxy-cpu", "proxy-memory", "proxy-cpu-limit", "proxy-memory-limit"] as const;

/** The full names. */
export const settingNames: readonly string[] = [
  AUDIT_SECRETS,
  AUDIT_VOLUME_NAME,
  ...[
    "outbound-ip-ranges",
    "exclude-outbound-ip-ranges",
    "outbound-ports",
    "exclude-outbound-ports",
    "inbound-ports",
    "exclude-inbound-ports",
    "drain",
    ...resourceNames,
  ].map((name) => PREFIX + name),
];

const cidr = z.union([z.cidrv4(), z.cidrv6()]);

/** Reads every annotation of ours, and tells every problem; `path` is where the annotations stand. */
export function readSettings(
  annotations: Readonly<Record<string, string>>,
  path: PodProblem["path"],
): { readonly settings: PodSettings; readonly problems: readonly PodProblem[] } {
  const problems: PodProblem[] = [];
  const refuse = (name: string, message: string) => problems.push({ path: [...path, PREFIX + name], message });
  const read = (name: string) => annotations[PREFIX + name];

  const entries = (name: string): readonly string[] | undefined => {
    const text = read(name);
    if (text === undefined) return undefined;
    const all = text.trim() === "" ? [] : text.split(",").map((entry) => entry.trim());
    if (all.length <= MAX_ENTRIES) return [...new Set(all)];
    refuse(name, `must have at most ${MAX_ENTRIES} entries, not ${all.length}`);
    return [];
  };
  const ranges = (name: string, byDefault: readonly string[]): readonly string[] => {
    const all = entries(name) ?? byDefault;
    const isAny = name === "outbound-ip-ranges" && all.length === 1 && all[0] === "*";
    const bad = isAny ? undefined : all.find((entry) => !cidr.safeParse(entry).success);
    if (bad === undefined) return all;
    const orAny = name === "outbound-ip-ranges" ? ", or * alone" : "";
    refuse(name, `must be address ranges such as 10.0.0.0/8, separated by commas${orAny}: ${shown(bad)} is none`);
    return [];
  };
  const ports = (name: string): readonly number[] => {
    const all = entries(name) ?? [];
    const bad = all.find((entry) => !isPortText(entry));
    if (bad === undefined) return all.map(Number);
    const orAny = name === "inbound-ports" ? ", or * alone" : "";
    refuse(name, `must be ports from 1 to 65535, separated by commas${orAny}: ${shown(bad)} is none`);
    return [];
  };

  const inboundText = read("inbound-ports");
  const capture: Capture = {
    outboundIpRanges: ranges("outbound-ip-ranges", ["*"]),
    excludeOutboundIpRanges: ranges("exclude-outbound-ip-ranges", []),
    outboundPorts: ports("outbound-ports"),
    excludeOutboundPorts: ports("exclude-outbound-ports"),
    inboundPorts: inboundText === undefined || inboundText.trim() === "*" ? ["*"] : ports("inbound-ports"),
    excludeInboundPorts: ports("exclude-inbound-ports"),
  };

  const drain = read("drain");
  const drainMs = drain === undefined ? DEFAULT_DRAIN_MS : parseDurationMs(drain);
  if (drainMs === undefined || drainMs > MAX_DRAIN_MS)
    refuse("drain", `must be a duration from 0s to 10m, as 10s or 800ms, not ${shown(drain ?? "")}`);

  const resources = readResources(read, refuse);
  const resourceAnnotations = resourceNames.filter((name) => read(name) !== undefined).map((name) => PREFIX + name);
  return { settings: { capture, drainMs: drainMs ?? DEFAULT_DRAIN_MS, resources, resourceAnnotations }, problems };
}

function readResources(
  read: (name: string) => string | undefined,
  refuse: (name: string, message: string) => void,
): ProxyResources {
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const [resource, byDefault, example] of [
    ["cpu", DEFAULT_CPU, "100m or 2"],
    ["memory", DEFAULT_MEMORY, "128Mi or 1Gi"],
  ] as const) {
    const quantity = (name: string): string | undefined => {
      const text = read(name);
      const size = text === undefined ? undefined : parseQuantity(text);
      if (text === undefined || (size !== undefined && size >= (resource === "cpu" ? 1e-3 : 1))) return text;
      refuse(name, `must be an amount of ${resource} such as ${example}, not ${shown(text)}`);
      return undefined;
    };
    const limitName = `proxy-${resource}-limit`;
    const request = quantity(`proxy-${resource}`);
    const limit = quantity(limitName);
    const isOver = (least: string) => limit !== undefined && (parseQuantity(least) ?? 0) > (parseQuantity(limit) ?? 0);
    if (resource === "memory" && isOver(LEAST_MEMORY_LIMIT))
      refuse(limitName, `must be at least ${LEAST_MEMORY_LIMIT}, not ${limit}`);
    else if (request !== undefined && isOver(request))
      refuse(limitName, `must be at least the ${resource} requested, ${request}, not ${limit}`);
    if (limit !== undefined) limits[resource] = limit;
    requests[resource] = request ?? (limit !== undefined && isOver(byDefault) ? limit : byDefault);
  }
  return { requests, limits };
}

function isPortText(text: string): boolean {
  return /^[0-9]{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
