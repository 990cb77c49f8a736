// Prometheus scrapes a pod at one address: the agent's page has the application's in it.
import { AGENT_PORT } from "./names.ts";
import { fieldsOf, isPort, listOf } from "./shape.ts";

const PREFIX = "prometheus.io/";
const DEFAULT_PATH = "/metrics";

export interface AppMetrics {
  /** Where the agent finds the application's page; undefined: it has none to merge. */
  readonly url: string | undefined;
  /** What the annotations become. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly warning: string | undefined;
}

/** Leads a pod's prometheus.io/* annotations to the agent. A pod that does not ask to be scraped is left alone. */
export function mergeAppMetrics(
  annotations: Readonly<Record<string, string>>,
  containers: readonly unknown[],
): AppMetrics {
  const read = (name: string) => annotations[PREFIX + name];
  const nothing: AppMetrics = { url: undefined, annotations: {}, warning: undefined };
  if (read("scrape") !== "true") return nothing;
  const scheme = read("scheme") ?? "http";
  const port = read("port") ?? String(firstPort(containers) ?? "");
  const isPortText = /^[0-9]{1,5}$/.test(port) && isPort(Number(port));
  if (scheme !== "http" || !isPortText) {
    const why = scheme !== "http" ? `${PREFIX}scheme is not http` : `${PREFIX}port is no port`;
    return { ...nothing, warning: `${why}: the application's metrics are not merged into the proxy's page` };
  }
  if (Number(port) === AGENT_PORT) return nothing;
  const path = read("path") ?? DEFAULT_PATH;
  return {
    url: `http://127.0.0.1:${Number(port)}${path.startsWith("/") ? "" : "/"}${path}`,
    annotations: {
      [`${PREFIX}port`]: String(AGENT_PORT),
      [`${PREFIX}path`]: DEFAULT_PATH,
      [`${PREFIX}scheme`]: "http",
    },
    warning: undefined,
  };
}

/** What Prometheus would scrape without a port annotation, in a pod that declares one port. */
function firstPort(containers: readonly unknown[]): number | undefined {
  const ports = containers.flatMap((container) => listOf(fieldsOf(container)["ports"]).map(fieldsOf));
  return ports
    .filter(({ protocol }) => (protocol ?? "TCP") === "TCP")
    .map(({ containerPort }) => containerPort)
    .find(isPort);
}
