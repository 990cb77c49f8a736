// Kubelet has no certificate of the mesh: its probes go to the agent, which asks the application from inside the pod.
import type { FieldPath } from "@hedgerow/manifest";
import { AGENT_PORT, PROXY_PORTS } from "./names.ts";
import type { PodProblem } from "./problem.ts";
import { type Fields, fieldsOf, isFields, isPort, listOf, textOf, without } from "./shape.ts";

/** What the agent does for a path of /app-health/: an entry of HEDGEROW_PROBES. */
export interface AppProbe {
  readonly httpGet?: Fields;
  readonly tcpSocket?: Fields;
  readonly grpc?: Fields;
  /** Absent for hooks, which have no limit of their own. */
  readonly timeoutSeconds?: number;
}

/** By path: /app-health/CONTAINER/KIND. */
export type AppProbes = Readonly<Record<string, AppProbe>>;

const probeKinds = [
  { field: "livenessProbe", kind: "livez" },
  { field: "readinessProbe", kind: "readyz" },
  { field: "startupProbe", kind: "startupz" },
] as const;
const hookKinds = [
  { field: "preStop", kind: "prestop" },
  { field: "postStart", kind: "poststart" },
] as const;
/** More than one of these, and the API server refuses the probe. */
const handlers = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];
/** What the API server calls containers by. */
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Kubernetes' own default. */
const DEFAULT_TIMEOUT_SECONDS = 1;
/** Bounds of what the agent takes. */
const MAX_TIMEOUT_SECONDS = 3_600;
const MAX_HEADERS = 64;

export interface Rewritten {
  readonly container: unknown;
  readonly probes: AppProbes;
  readonly problems: readonly PodProblem[];
  /** Probes that stay as they are because their port names none of the container's. */
  readonly unresolved: readonly FieldPath[];
}

/**
 * The container at `path`, its probes and hooks over the network led to the agent, and what they were. Probes that the API
 * server would refuse are left as they are, so that it still does; exec and sleep are, too.
 */
export function rewriteProbes(container: unknown, path: FieldPath): Rewritten {
  const probes: Record<string, AppProbe> = {};
  const problems: PodProblem[] = [];
  const unresolved: FieldPath[] = [];
  if (!isFields(container)) return { container, probes, problems, unresolved };
  const name = container["name"];
  if (typeof name !== "string" || !DNS_LABEL.test(name)) return { container, probes, problems, unresolved };

  const rewrite = (owner: Fields, ownerPath: FieldPath, field: string, kind: string, isHook: boolean): Fields => {
    const probe = owner[field];
    const described = isFields(probe) ? describe(probe, container) : undefined;
    if (!isFields(probe) || described === undefined) return owner;
    const probePath = [...ownerPath, field];
    switch (described.kind) {
      case "unresolved":
        unresolved.push(probePath);
        return owner;
      case "refused":
        problems.push({ path: [...probePath, ...described.path], message: described.message });
        return owner;
      case "handler": {
        const agentPath = `/app-health/${name}/${kind}`;
        probes[agentPath] = { ...described.handler, ...(isHook ? {} : { timeoutSeconds: timeoutOf(probe) }) };
        const httpGet = { path: agentPath, port: AGENT_PORT, scheme: "HTTP" };
        return { ...owner, [field]: { ...without(probe, handlers), httpGet } };
      }
    }
  };

  let changed: Fields = container;
  for (const { field, kind } of probeKinds) changed = rewrite(changed, path, field, kind, false);
  const lifecycle = container["lifecycle"];
  if (isFields(lifecycle)) {
    let rest = lifecycle;
    for (const { field, kind } of hookKinds) rest = rewrite(rest, [...path, "lifecycle"], field, kind, true);
    if (rest !== lifecycle) changed = { ...changed, lifecycle: rest };
  }
  return { container: changed, probes, problems, unresolved };
}

/** The container as it was before `rewriteProbes`, by what that said; named ports come back as numbers. */
export function restoreProbes(container: unknown, probes: Fields): unknown {
  if (!isFields(container)) return container;
  const restore = (owner: Fields, field: string): Fields => {
    const probe = owner[field];
    if (!isFields(probe)) return owner;
    const { path, port } = fieldsOf(probe["httpGet"]);
    const was =
      port === AGENT_PORT && typeof path === "string" && Object.hasOwn(probes, path) ? probes[path] : undefined;
    if (!isFields(was)) return owner;
    return { ...owner, [field]: { ...without(probe, ["httpGet"]), ...without(was, ["timeoutSeconds"]) } };
  };
  let restored: Fields = container;
  for (const { field } of probeKinds) restored = restore(restored, field);
  const lifecycle = restored["lifecycle"];
  if (isFields(lifecycle)) {
    let rest = lifecycle;
    for (const { field } of hookKinds) rest = restore(rest, field);
    if (rest !== lifecycle) restored = { ...restored, lifecycle: rest };
  }
  return restored;
}

type Described =
  | { readonly kind: "handler"; readonly handler: Omit<AppProbe, "timeoutSeconds"> }
  | { readonly kind: "unresolved" }
  | { readonly kind: "refused"; readonly path: FieldPath; readonly message: string };

/** Undefined where there is nothing for the agent to do. */
function describe(probe: Fields, container: Fields): Described | undefined {
  const [name, another] = handlers.filter((handler) => (probe[handler] ?? null) !== null);
  const action = name === undefined ? undefined : probe[name];
  if (another !== undefined || !isFields(action)) return undefined;
  if (name === "httpGet") return describeHttpGet(action, container);
  if (name === "tcpSocket")
    return describePort(action["port"], container, (port) => ({ tcpSocket: { port, ...hostOf(action) } }));
  const { port, service } = action;
  // Kubernetes has no named ports here.
  if (name !== "grpc" || !isPort(port)) return undefined;
  return describeNumber(port, () => ({ grpc: { port, ...(textOf(service) ? { service } : {}) } }));
}

function describeHttpGet(action: Fields, container: Fields): Described | undefined {
  const scheme = action["scheme"] ?? "HTTP";
  const path = action["path"] ?? "/";
  const headers = listOf(action["httpHeaders"]).map(fieldsOf);
  if (typeof path !== "string" || (scheme !== "HTTP" && scheme !== "HTTPS") || !headers.every(isHeader))
    return undefined;
  if (headers.length > MAX_HEADERS) {
    const message = `must have at most ${MAX_HEADERS} entries, not ${headers.length}, for the proxy to ask in kubelet's place`;
    return { kind: "refused", path: ["httpGet", "httpHeaders"], message };
  }
  const httpHeaders = headers.map(({ name, value }) => ({ name, value: value ?? "" }));
  return describePort(action["port"], container, (port) => ({
    httpGet: {
      path: path.startsWith("/") ? path : `/${path}`,
      port,
      scheme,
      ...hostOf(action),
      ...(httpHeaders.length === 0 ? {} : { httpHeaders }),
    },
  }));
}

function describePort(
  port: unknown,
  container: Fields,
  handlerAt: (port: number) => Omit<AppProbe, "timeoutSeconds">,
): Described | undefined {
  if (isPort(port)) return describeNumber(port, handlerAt);
  if (typeof port !== "string") return undefined;
  const declared = listOf(container["ports"])
    .map(fieldsOf)
    .find(({ name }) => name === port);
  const number = declared?.["containerPort"];
  return isPort(number) ? describeNumber(number, handlerAt) : { kind: "unresolved" };
}

function describeNumber(port: number, handlerAt: (port: number) => Omit<AppProbe, "timeoutSeconds">): Described {
  if (!PROXY_PORTS.includes(port)) return { kind: "handler", handler: handlerAt(port) };
  return { kind: "refused", path: [], message: `must not ask port ${port}: it is the proxy's own` };
}

function hostOf(action: Fields): { readonly host?: string } {
  const host = textOf(action["host"]);
  return host === undefined || host === "" ? {} : { host };
}

/** As the API server judges it: a field name of RFC 9110. */
function isHeader({ name, value }: Fields): boolean {
  const isName = typeof name === "string" && /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/.test(name);
  return isName && (typeof value === "string" || (value ?? null) === null);
}

function timeoutOf({ timeoutSeconds }: Fields): number {
  if (typeof timeoutSeconds !== "number" || !(timeoutSeconds >= 1)) return DEFAULT_TIMEOUT_SECONDS;
  return Math.min(Math.floor(timeoutSeconds), MAX_TIMEOUT_SECONDS);
}
