/** Levels that HEDGEROW_LOG_LEVEL takes, least talkative first. */
const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A TCP address to listen on. */
export interface ListenAddress {
  /** IPv4, or IPv6 without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 takes a free port. */
  readonly port: number;
}

/** Manifests in a directory, the CA's key beside what else must outlive the process. */
export interface DirectoryConfig {
  readonly kind: "directory";
  /** HEDGEROW_MANIFESTS: directory of YAML manifests. */
  readonly manifestsDir: string;
}

/** Manifests, pods and the CA's key at an API server, among replicas. */
export interface KubernetesConfig {
  readonly kind: "kubernetes";
  /** HEDGEROW_KUBERNETES: `in-cluster`, or the path of a kubeconfig. */
  readonly access: string;
  /** HEDGEROW_POD_NAME: tells replicas apart. Undefined: the host's name, which a pod has from its own. */
  readonly podName: string | undefined;
  /** HEDGEROW_POD_NAMESPACE. Default hedgerow-system. */
  readonly podNamespace: string;
  /** HEDGEROW_WEBHOOK_LISTEN: host:port of the admission webhooks. Default 0.0.0.0:15017. */
  readonly webhookListen: ListenAddress;
  /** HEDGEROW_SIDECAR_IMAGE: what the injector puts into pods. Required. */
  readonly sidecarImage: string;
  /** HEDGEROW_REVISION: the name by which namespaces choose this control plane; a DNS label. Default `default`. */
  readonly revision: string;
}

/** What main reads from the environment. */
export interface Config {
  /** From HEDGEROW_MANIFESTS or HEDGEROW_KUBERNETES, exactly one of which is set. */
  readonly source: DirectoryConfig | KubernetesConfig;
  /**
   * HEDGEROW_STATE: directory of last good manifests, the ready set and what was witnessed of ledgers; without Kubernetes also of the
   * CA key, spent tokens and which edits are recorded. Required.
   */
  readonly stateDir: string;
  /** HEDGEROW_AUDIT: directory of the control plane's own audit ledger. Default STATE/audit. */
  readonly auditDir: string;
  /** HEDGEROW_ENROLL_LISTEN: host:port of EnrollmentService. Default 0.0.0.0:15010. */
  readonly enrollListen: ListenAddress;
  /** HEDGEROW_MESH_LISTEN: host:port of ADS, renewal and reports. Default 0.0.0.0:15012. */
  readonly meshListen: ListenAddress;
  /** HEDGEROW_ADMIN_SOCKET: path of AdminService's Unix socket, at most 95 bytes. Default STATE/admin.sock. */
  readonly adminSocket: string;
  /** HEDGEROW_ADMIN_LISTEN: host:port of AdminService over mTLS. Default: not served. */
  readonly adminListen: ListenAddress | undefined;
  /** HEDGEROW_METRICS_LISTEN: host:port of /metrics, /healthz and /readyz. Default 127.0.0.1:15014. */
  readonly metricsListen: ListenAddress;
  /** HEDGEROW_LOG_LEVEL: fatal, error, warn, info, debug or trace. Default info. */
  readonly logLevel: LogLevel;
}

interface ConfigProblem {
  readonly variable: string;
  readonly value: string;
  /** What it must be. */
  readonly expected: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly value: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

// sockaddr_un.sun_path holds 108 bytes on Linux and 104 on macOS, and the socket first gets a longer, temporary name.
const MAX_SOCKET_PATH_BYTES = 95;

/** host:port with an IPv4 address, a name, or an IPv6 address in brackets. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= 65535 ? { host, port } : undefined;
}

/** Every setting, or every problem at once. An empty variable counts as absent. */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): ConfigResult {
  const problems: ConfigProblem[] = [];
  const read = (variable: string) => env[variable] || undefined;
  const refuse = (variable: string, expected: string) =>
    problems.push({ variable, value: env[variable] ?? "", expected });

  const directory = (variable: string) => {
    const value = read(variable);
    if (value === undefined)
      refuse(
        variable,
        `the path of a directory${variable === "HEDGEROW_MANIFESTS" ? ", unless HEDGEROW_KUBERNETES is set" : ""}`,
      );
    return value ?? "";
  };
  const listen = (variable: string, byDefault: ListenAddress) => {
    const value = read(variable);
    const address = value === undefined ? byDefault : parseListenAddress(value);
    if (address === undefined) refuse(variable, "host:port, the port from 0 to 65535");
    return address ?? byDefault;
  };

  const label = (variable: string, byDefault: string) => {
    const value = read(variable) ?? byDefault;
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value))
      refuse(variable, "at most 63 lower-case letters, digits and '-', starting and ending with a letter or digit");
    return value;
  };
  const kubernetes = (access: string): KubernetesConfig => {
    if (read("HEDGEROW_MANIFESTS") !== undefined)
      refuse("HEDGEROW_MANIFESTS", "absent where HEDGEROW_KUBERNETES is set: manifests come from one place");
    const sidecarImage = read("HEDGEROW_SIDECAR_IMAGE");
    if (sidecarImage === undefined) refuse("HEDGEROW_SIDECAR_IMAGE", "the image of the sidecar");
    return {
      kind: "kubernetes",
      access,
      podName: read("HEDGEROW_POD_NAME"),
      podNamespace: label("HEDGEROW_POD_NAMESPACE", "hedgerow-system"),
      webhookListen: listen("HEDGEROW_WEBHOOK_LISTEN", { host: "0.0.0.0", port: 15017 }),
      sidecarImage: sidecarImage ?? "",
      revision: label("HEDGEROW_REVISION", "default"),
    };
  };

  const access = read("HEDGEROW_KUBERNETES");
  const source =
    access === undefined
      ? ({ kind: "directory", manifestsDir: directory("HEDGEROW_MANIFESTS") } as const)
      : kubernetes(access);
  const stateDir = directory("HEDGEROW_STATE");
  const auditDir = read("HEDGEROW_AUDIT") ?? `${stateDir}/audit`;
  const enrollListen = listen("HEDGEROW_ENROLL_LISTEN", { host: "0.0.0.0", port: 15010 });
  const meshListen = listen("HEDGEROW_MESH_LISTEN", { host: "0.0.0.0", port: 15012 });
  const adminListen =
    read("HEDGEROW_ADMIN_LISTEN") === undefined
      ? undefined
      : listen("HEDGEROW_ADMIN_LISTEN", { host: "127.0.0.1", port: 0 });
  const metricsListen = listen("HEDGEROW_METRICS_LISTEN", { host: "127.0.0.1", port: 15014 });

  const adminSocket = read("HEDGEROW_ADMIN_SOCKET") ?? `${stateDir}/admin.sock`;
  if (Buffer.byteLength(adminSocket) > MAX_SOCKET_PATH_BYTES)
    problems.push({
      variable: "HEDGEROW_ADMIN_SOCKET",
      value: adminSocket,
      expected: `a path of at most ${MAX_SOCKET_PATH_BYTES} bytes (default HEDGEROW_STATE/admin.sock)`,
    });

  const level = read("HEDGEROW_LOG_LEVEL") ?? "info";
  const logLevel = LOG_LEVELS.find((known) => known === level);
  if (logLevel === undefined) refuse("HEDGEROW_LOG_LEVEL", `one of ${LOG_LEVELS.join(", ")}`);

  if (problems.length > 0 || logLevel === undefined) return { ok: false, problems };
  const value: Config = {
    source,
    stateDir,
    auditDir,
    enrollListen,
    meshListen,
    adminSocket,
    adminListen,
    metricsListen,
    logLevel,
  };
  return { ok: true, value: Object.freeze(value) };
}
