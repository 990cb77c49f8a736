/** Levels that HEDGEROW_LOG_LEVEL takes, least talkative first. */
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A TCP address to listen on. */
export interface ListenAddress {
  /** IPv4, a name, or IPv6 without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 takes a free port. */
  readonly port: number;
}

/** What main reads from the environment. */
export interface Config {
  /** HEDGEROW_MODELS: directory of NAME/VERSION/model.onnx. Required. */
  readonly modelsDir: string;
  /** HEDGEROW_LISTEN: host:port of Connect, gRPC and gRPC-Web, cleartext HTTP/1.1 and HTTP/2. Default 127.0.0.1:8080. */
  readonly listen: ListenAddress;
  /** HEDGEROW_METRICS_LISTEN: host:port of /metrics, /healthz and /readyz. Default 127.0.0.1:9090. */
  readonly metricsListen: ListenAddress;
  /** HEDGEROW_WORKERS: inference threads, 1 to 256. Default: the cores, at most 4. */
  readonly workers: number;
  /** HEDGEROW_MAX_REQUEST_BYTES: of one message, after decompression; 1 KiB to 1 GiB. Default 4 MiB. */
  readonly maxRequestBytes: number;
  /** HEDGEROW_DRAIN_SECONDS: how long SIGTERM waits for requests in flight, 0 to 3600. Default 10. */
  readonly drainSeconds: number;
  /** HEDGEROW_LOG_LEVEL: fatal, error, warn, info, debug or trace. Default info. */
  readonly logLevel: LogLevel;
}

export interface ConfigProblem {
  readonly variable: string;
  readonly value: string;
  /** What it must be. */
  readonly expected: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly value: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

/** host:port with an IPv4 address, a name, or an IPv6 address in brackets. */
function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= 65535 ? { host, port } : undefined;
}

/** Every setting, or every problem at once. An empty variable counts as absent. `cores` is what the machine has. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>, cores: number): ConfigResult {
  const problems: ConfigProblem[] = [];
  const refuse = (variable: string, expected: string) =>
    problems.push({ variable, value: env[variable] ?? "", expected });

  const listen = (variable: string, byDefault: ListenAddress) => {
    const address = env[variable] ? parseListenAddress(env[variable]) : byDefault;
    if (address === undefined) refuse(variable, "host:port, the port from 0 to 65535");
    return address ?? byDefault;
  };
  const integer = (variable: string, lowest: number, highest: number, byDefault: number) => {
    const text = env[variable] || String(byDefault);
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= lowest && value <= highest) return value;
    refuse(variable, `an integer from ${lowest} to ${highest}`);
    return byDefault;
  };

  const modelsDir = env["HEDGEROW_MODELS"] || "";
  if (modelsDir === "") refuse("HEDGEROW_MODELS", "the path of a directory of NAME/VERSION/model.onnx");
  const level = env["HEDGEROW_LOG_LEVEL"] || "info";
  const logLevel = LOG_LEVELS.find((known) => known === level);
  if (logLevel === undefined) refuse("HEDGEROW_LOG_LEVEL", `one of ${LOG_LEVELS.join(", ")}`);
  const value = {
    modelsDir,
    listen: listen("HEDGEROW_LISTEN", { host: "127.0.0.1", port: 8080 }),
    metricsListen: listen("HEDGEROW_METRICS_LISTEN", { host: "127.0.0.1", port: 9090 }),
    workers: integer("HEDGEROW_WORKERS", 1, 256, Math.max(1, Math.min(cores, 4))),
    maxRequestBytes: integer("HEDGEROW_MAX_REQUEST_BYTES", 1024, 1024 ** 3, 4 * 1024 ** 2),
    drainSeconds: integer("HEDGEROW_DRAIN_SECONDS", 0, 3600, 10),
  };
  if (problems.length > 0 || logLevel === undefined) return { ok: false, problems };
  return { ok: true, value: Object.freeze({ ...value, logLevel }) };
}
