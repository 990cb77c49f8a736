import { z } from "zod";

/** `sun_path` of a Unix socket address holds 108 bytes with its terminator (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;
/** The longest name that the agent gives a socket in its run directory, with the slash. */
const LONGEST_SOCKET_NAME = "/envoy-admin.sock";

export interface Config {
  /** HEDGEROW_ENROLL, host:port of the control plane's enrolment port. */
  readonly enrollAddress: string;
  /** HEDGEROW_MESH, host:port of the control plane's mTLS port. */
  readonly meshAddress: string;
  /** HEDGEROW_TOKEN_FILE, the join token; read again at every enrolment. */
  readonly tokenFile: string;
  /** HEDGEROW_RUN, absolute path of a directory for sockets, the bootstrap and Envoy's logs; made 0700. */
  readonly runDirectory: string;
  /** ENVOY_BIN, default `envoy` on the PATH. */
  readonly envoyBinary: string;
  /** HEDGEROW_ENVOY_CONCURRENCY, Envoy's worker threads, 1 … 128, default 2. */
  readonly envoyConcurrency: number;
  /** HEDGEROW_METRICS_LISTEN, default 127.0.0.1:15020. */
  readonly metricsListen: { readonly host: string; readonly port: number };
  /** HEDGEROW_APP_METRICS, an http URL whose Prometheus page is merged into the agent's. */
  readonly appMetricsUrl: string | undefined;
  /** HEDGEROW_LOG_LEVEL, trace … fatal, default info. */
  readonly logLevel: string;
}

const address = (least: number) =>
  z.string().transform((text, context) => {
    const match = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^\s:[\]]+)):(?<port>\d{1,5})$/.exec(text);
    const port = Number(match?.groups?.["port"]);
    if (!match || !(port >= least && port <= 65_535)) {
      context.addIssue(`expected host:port with a port in ${least}–65535`);
      return z.NEVER;
    }
    return { text, host: match.groups?.["v6"] ?? match.groups?.["host"] ?? "", port };
  });

const schema = z.object({
  HEDGEROW_ENROLL: address(1),
  HEDGEROW_MESH: address(1),
  HEDGEROW_TOKEN_FILE: z.string().min(1, "expected the path of a file"),
  HEDGEROW_RUN: z
    .string()
    .startsWith("/", "expected an absolute path")
    .refine(
      (path) => new TextEncoder().encode(path + LONGEST_SOCKET_NAME).length <= MAX_SOCKET_PATH_BYTES,
      `expected at most ${MAX_SOCKET_PATH_BYTES - LONGEST_SOCKET_NAME.length} bytes, so that its sockets have valid names`,
    ),
  ENVOY_BIN: z.string().min(1, "expected the path of Envoy").default("envoy"),
  HEDGEROW_ENVOY_CONCURRENCY: z.coerce
    .number("expected a whole number in 1–128")
    .int("expected a whole number in 1–128")
    .min(1, "expected a whole number in 1–128")
    .max(128, "expected a whole number in 1–128")
    .default(2),
  HEDGEROW_METRICS_LISTEN: address(0).default({ text: "127.0.0.1:15020", host: "127.0.0.1", port: 15_020 }),
  HEDGEROW_APP_METRICS: z.url({ protocol: /^http$/, error: "expected an http:// URL" }).optional(),
  HEDGEROW_LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal"], "expected trace, debug, info, warn, error or fatal")
    .default("info"),
});

/** The agent's configuration from its environment, or every problem, each naming variable, value and range. */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
): { readonly ok: true; readonly value: Config } | { readonly ok: false; readonly problems: readonly string[] } {
  // An empty variable is an absent one, as shells and container recipes mean it.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ""));
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    return {
      ok: false,
      problems: parsed.error.issues.map(({ path, message }) => {
        const name = String(path[0]);
        const value = given[name];
        return value === undefined ? `${name} is not set` : `${name}=${JSON.stringify(value)}: ${message}`;
      }),
    };
  }
  const value = parsed.data;
  return {
    ok: true,
    value: Object.freeze({
      enrollAddress: value.HEDGEROW_ENROLL.text,
      meshAddress: value.HEDGEROW_MESH.text,
      tokenFile: value.HEDGEROW_TOKEN_FILE,
      runDirectory: value.HEDGEROW_RUN,
      envoyBinary: value.ENVOY_BIN,
      envoyConcurrency: value.HEDGEROW_ENVOY_CONCURRENCY,
      metricsListen: { host: value.HEDGEROW_METRICS_LISTEN.host, port: value.HEDGEROW_METRICS_LISTEN.port },
      appMetricsUrl: value.HEDGEROW_APP_METRICS,
      logLevel: value.HEDGEROW_LOG_LEVEL,
    }),
  };
}
