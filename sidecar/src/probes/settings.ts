/** How the kubelet would ask the application, had the mesh not come between; as in core/v1 Probe and LifecycleHandler. */
export type ProbeHandler =
  | {
      readonly kind: "http_get";
      readonly scheme: "http" | "https";
      /** Undefined: the pod's own address. */
      readonly host: string | undefined;
      readonly port: number;
      /** With its query; begins with a slash. */
      readonly path: string;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: "tcp_socket"; readonly host: string | undefined; readonly port: number }
  /** grpc.health.v1.Health/Check, without TLS. */
  | { readonly kind: "grpc"; readonly port: number; readonly service: string };

export interface Probe {
  readonly handler: ProbeHandler;
  /** 1 s … 1 h. */
  readonly timeoutMs: number;
  /** A lifecycle hook (prestop, poststart): the kubelet asks only whether its request was answered, not what. */
  readonly hook: boolean;
}

const PATH = /^\/app-health\/[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\/(livez|readyz|startupz|prestop|poststart)$/;
const MAX_BYTES = 256 * 1024;
const MAX_HEADERS = 64;
const MAX_SECONDS = 3_600;
/** The kubelet's own default for probes; it gives hooks no limit but the pod's. */
const PROBE_SECONDS = 1;
const HANDLERS = ["httpGet", "tcpSocket", "grpc"];

type Fields = Readonly<Record<string, unknown>>;

/**
 * The setting HEDGEROW_PROBES: a JSON object, from the path under which the agent answers (/app-health/CONTAINER/KIND) to the
 * handler as the pod had it, ports by number, and `timeoutSeconds`. Or every problem.
 */
export function parseProbes(
  text: string,
):
  | { readonly ok: true; readonly value: ReadonlyMap<string, Probe> }
  | { readonly ok: false; readonly problems: readonly string[] } {
  if (text.length > MAX_BYTES) return { ok: false, problems: [`expected at most ${MAX_BYTES} bytes`] };
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    return { ok: false, problems: ["expected JSON"] };
  }
  if (!isObject(entries)) return { ok: false, problems: ["expected an object"] };
  const problems: string[] = [];
  const value = new Map<string, Probe>();
  for (const [path, entry] of Object.entries(entries)) {
    const wrong = (words: string) => {
      problems.push(`${JSON.stringify(path)}: ${words}`);
    };
    if (!PATH.test(path)) wrong("expected the path /app-health/CONTAINER/KIND");
    const probe = readProbe(entry, /\/(prestop|poststart)$/.test(path), wrong);
    if (probe !== undefined) value.set(path, probe);
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value };
}

function readProbe(entry: unknown, hook: boolean, wrong: (words: string) => void): Probe | undefined {
  if (!isObject(entry)) return refuse(wrong, "expected an object");
  const { timeoutSeconds = hook ? MAX_SECONDS : PROBE_SECONDS } = entry;
  if (!isWhole(timeoutSeconds, 1, MAX_SECONDS)) wrong(`timeoutSeconds: expected a whole number in 1–${MAX_SECONDS}`);
  const given = HANDLERS.filter((name) => entry[name] !== undefined);
  const [name] = given;
  if (name === undefined || given.length > 1) return refuse(wrong, `expected one of ${HANDLERS.join(", ")}`);
  const fields = entry[name];
  if (!isObject(fields)) return refuse(wrong, `${name}: expected an object`);
  const handler = readHandler(name, fields, (words) => wrong(`${name}.${words}`));
  if (handler === undefined || !isWhole(timeoutSeconds, 1, MAX_SECONDS)) return undefined;
  return { handler, timeoutMs: timeoutSeconds * 1_000, hook };
}

function readHandler(name: string, fields: Fields, wrong: (words: string) => void): ProbeHandler | undefined {
  const { port, host, service = "" } = fields;
  if (!isWhole(port, 1, 65_535)) return refuse(wrong, "port: expected a whole number in 1–65535");
  if (host !== undefined && typeof host !== "string") return refuse(wrong, "host: expected a text");
  const target = host === "" ? undefined : host;
  if (name === "tcpSocket") return { kind: "tcp_socket", host: target, port };
  if (name === "httpGet") return readHttpGet(fields, { host: target, port }, wrong);
  if (typeof service !== "string") return refuse(wrong, "service: expected a text");
  return { kind: "grpc", port, service };
}

function readHttpGet(
  { scheme = "HTTP", path = "/", httpHeaders = [] }: Fields,
  target: { readonly host: string | undefined; readonly port: number },
  wrong: (words: string) => void,
): ProbeHandler | undefined {
  if (scheme !== "HTTP" && scheme !== "HTTPS") return refuse(wrong, "scheme: expected HTTP or HTTPS");
  if (typeof path !== "string") return refuse(wrong, "path: expected a text");
  if (!Array.isArray(httpHeaders) || httpHeaders.length > MAX_HEADERS || !httpHeaders.every(isHeader)) {
    return refuse(wrong, `httpHeaders: expected at most ${MAX_HEADERS} of {name, value}`);
  }
  return {
    kind: "http_get",
    scheme: scheme === "HTTP" ? "http" : "https",
    ...target,
    // As the kubelet reads it.
    path: path.startsWith("/") ? path : `/${path}`,
    headers: httpHeaders.map(({ name, value }) => ({ name, value })),
  };
}

function refuse(wrong: (words: string) => void, words: string): undefined {
  wrong(words);
  return undefined;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}

function isHeader(value: unknown): value is { readonly name: string; readonly value: string } {
  return isObject(value) && typeof value["name"] === "string" && typeof value["value"] === "string";
}
