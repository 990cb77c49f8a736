import { type Probe, parseProbes } from "./probes/settings.ts";
import { type Address, address, type Form, matching, oneOf, Settings, wholeNumber } from "./settings.ts";

/** `sun_path` of a Unix socket address holds 108 bytes with its terminator (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107;
/** The longest name that the agent gives a socket in its run directory, with the slash. */
const LONGEST_SOCKET_NAME = "/envoy-admin.sock";
const MAX_RUN_DIRECTORY_BYTES = MAX_SOCKET_PATH_BYTES - LONGEST_SOCKET_NAME.length;
const MAX_ROOTS = 16;
const MIB = 1024 * 1024;

/**
 * Whence the agent knows who it is and by which roots to know the control plane, and what it shows to be believed: a join
 * token says it all; a pod's service-account token says nothing that the agent could use, so the injector sets it beside.
 */
export type Enrolment =
  | { readonly kind: "join_token"; readonly tokenFile: string }
  | {
      readonly kind: "service_account";
      readonly tokenFile: string;
      /** HEDGEROW_NODE_ID, NAMESPACE/POD. */
      readonly nodeId: string;
      /** HEDGEROW_TRUST_DOMAIN. */
      readonly trustDomain: string;
      /** HEDGEROW_ROOT_DIGESTS, SHA-256 of each trusted root's DER, lower-case hexadecimal. */
      readonly rootDigests: ReadonlySet<string>;
    };

export interface Config {
  /** HEDGEROW_ENROLL, host:port of the control plane's enrolment port. */
  readonly enrollAddress: string;
  /** HEDGEROW_MESH, host:port of the control plane's mTLS port. */
  readonly meshAddress: string;
  /** HEDGEROW_TOKEN_FILE, read again at every enrolment; with the three settings of `service_account`, or none of them. */
  readonly enrolment: Enrolment;
  /** HEDGEROW_RUN, absolute path of a directory for sockets, the bootstrap and Envoy's logs; made 0700. */
  readonly runDirectory: string;
  /** ENVOY_BIN, default `envoy` on the PATH. */
  readonly envoyBinary: string;
  /** HEDGEROW_ENVOY_CONCURRENCY, Envoy's worker threads, 1 … 128, default 2. */
  readonly envoyConcurrency: number;
  /** HEDGEROW_ENVOY_LOG, where Envoy writes: `files` of the run directory (default), or the agent's own `stdout`. */
  readonly envoyLog: "files" | "stdout";
  /** HEDGEROW_METRICS_LISTEN, default 127.0.0.1:15020. */
  readonly metricsListen: { readonly host: string; readonly port: number };
  /** HEDGEROW_APP_METRICS, an http URL whose Prometheus page is merged into the agent's. */
  readonly appMetricsUrl: string | undefined;
  /** HEDGEROW_PROBES, the application's own probes, by the path under which the agent answers for them; default none. */
  readonly probes: ReadonlyMap<string, Probe>;
  /** HEDGEROW_POD_IP, where the application is probed, default 127.0.0.1. */
  readonly podIp: string | undefined;
  /** HEDGEROW_AUDIT, absolute path of the directory of audit ledgers, default `audit` in the run directory. */
  readonly auditDirectory: string;
  /** HEDGEROW_SECRETS, absolute path: a secret X has its key in the file X/key there; undefined: there are no secrets. */
  readonly secretsDirectory: string | undefined;
  /** HEDGEROW_INSPECT_BYTES, of requests being inspected at once, 1 MiB … 64 GiB, default 256 MiB; beyond it they are refused. */
  readonly inspectBytes: number;
  /** HEDGEROW_LOG_LEVEL, trace … fatal, default info. */
  readonly logLevel: string;
}

const runDirectory: Form<string> = {
  expected: `expected an absolute path of at most ${MAX_RUN_DIRECTORY_BYTES} bytes, so that its sockets have valid names`,
  read: (path) =>
    path.startsWith("/") && new TextEncoder().encode(path).length <= MAX_RUN_DIRECTORY_BYTES ? path : undefined,
};

const directory = matching(/^\//, "expected an absolute path");

const httpUrl: Form<string> = {
  expected: "expected an http:// URL",
  read: (text) => (URL.canParse(text) && new URL(text).protocol === "http:" ? text : undefined),
};

const rootDigests: Form<ReadonlySet<string>> = {
  expected: `expected at most ${MAX_ROOTS} SHA-256 digests in hexadecimal, separated by commas`,
  read: (text) => {
    const digests = text.split(",").map((digest) => digest.trim().toLowerCase());
    return digests.length <= MAX_ROOTS && digests.every((digest) => /^[0-9a-f]{64}$/.test(digest))
      ? new Set(digests)
      : undefined;
  },
};

const anything = matching(/^/, "");
const nodeId = matching(/^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/, "expected NAMESPACE/POD");
const trustDomain = matching(/^[a-z0-9._-]{1,255}$/, "expected a trust domain, as in bank.example");
const podIp = matching(/^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$/, "expected an IP address");
const metricsListen: Address = { text: "127.0.0.1:15020", host: "127.0.0.1", port: 15_020 };

/** The agent's configuration from its environment, or every problem, each naming variable, value and range. */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
): { readonly ok: true; readonly value: Config } | { readonly ok: false; readonly problems: readonly string[] } {
  const settings = new Settings(env);
  const enroll = settings.required("HEDGEROW_ENROLL", address(1));
  const mesh = settings.required("HEDGEROW_MESH", address(1));
  const enrolment = parseEnrolment(settings);
  const run = settings.required("HEDGEROW_RUN", runDirectory);
  const audit = settings.optional("HEDGEROW_AUDIT", directory, undefined);
  const listen = settings.optional("HEDGEROW_METRICS_LISTEN", address(0), metricsListen);
  const optional = {
    envoyBinary: settings.optional("ENVOY_BIN", anything, "envoy"),
    envoyConcurrency: settings.optional("HEDGEROW_ENVOY_CONCURRENCY", wholeNumber(1, 128), 2),
    envoyLog: settings.optional("HEDGEROW_ENVOY_LOG", oneOf(["files", "stdout"]), "files"),
    metricsListen: { host: listen.host, port: listen.port },
    appMetricsUrl: settings.optional("HEDGEROW_APP_METRICS", httpUrl, undefined),
    probes: parseAllProbes(settings),
    podIp: settings.optional("HEDGEROW_POD_IP", podIp, undefined),
    secretsDirectory: settings.optional("HEDGEROW_SECRETS", directory, undefined),
    inspectBytes: settings.optional("HEDGEROW_INSPECT_BYTES", wholeNumber(MIB, 65_536 * MIB), 256 * MIB),
    logLevel: settings.optional(
      "HEDGEROW_LOG_LEVEL",
      oneOf(["trace", "debug", "info", "warn", "error", "fatal"]),
      "info",
    ),
  };
  if (enroll === undefined || mesh === undefined || enrolment === undefined || run === undefined) {
    return { ok: false, problems: settings.problems };
  }
  if (settings.problems.length > 0) return { ok: false, problems: settings.problems };
  return {
    ok: true,
    value: Object.freeze({
      enrollAddress: enroll.text,
      meshAddress: mesh.text,
      enrolment,
      runDirectory: run,
      auditDirectory: audit ?? `${run}/audit`,
      ...optional,
    }),
  };
}

function parseEnrolment(settings: Settings): Enrolment | undefined {
  const tokenFile = settings.required("HEDGEROW_TOKEN_FILE", anything);
  const names = ["HEDGEROW_NODE_ID", "HEDGEROW_TRUST_DOMAIN", "HEDGEROW_ROOT_DIGESTS"];
  const absent = names.filter((name) => !settings.has(name));
  if (absent.length === names.length) {
    return tokenFile === undefined ? undefined : { kind: "join_token", tokenFile };
  }
  for (const name of absent) settings.problem(`${name} is not set: it belongs with ${names.join(", ")}`);
  const id = settings.optional("HEDGEROW_NODE_ID", nodeId, undefined);
  const domain = settings.optional("HEDGEROW_TRUST_DOMAIN", trustDomain, undefined);
  const digests = settings.optional("HEDGEROW_ROOT_DIGESTS", rootDigests, undefined);
  if (tokenFile === undefined || id === undefined || domain === undefined || digests === undefined) return undefined;
  return { kind: "service_account", tokenFile, nodeId: id, trustDomain: domain, rootDigests: digests };
}

function parseAllProbes(settings: Settings): ReadonlyMap<string, Probe> {
  const text = settings.text("HEDGEROW_PROBES");
  if (text === undefined) return new Map();
  const parsed = parseProbes(text);
  if (parsed.ok) return parsed.value;
  for (const problem of parsed.problems) settings.problem(`HEDGEROW_PROBES: ${problem}`);
  return new Map();
}
