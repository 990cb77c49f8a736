// Pods as nobody writes them: each odd in a few places, so that many are still pods to an API server.
import fc from "fast-check";

/** Mostly what is right, now and then what is not. */
function mostly<A, B>(usual: fc.Arbitrary<A>, odd: fc.Arbitrary<B>, weight = 120): fc.Arbitrary<A | B> {
  return fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd });
}

function seldom<T>(odd: fc.Arbitrary<T>, weight = 8): fc.Arbitrary<T | undefined> {
  return mostly(fc.constant(undefined), odd, weight);
}

const junk = fc.constantFrom<unknown[]>(
  null,
  "",
  0,
  -1,
  70_000,
  true,
  "x".repeat(300),
  "é–数",
  [],
  {},
  "15020",
  2 ** 53 - 1,
);
const label = fc.constantFrom("app", "web", "log", "a1", "x".repeat(63), "model-server");
const containerName = mostly(
  label,
  fc.constantFrom("hedgerow-proxy", "hedgerow-init", "Upper", "", "a.b", null, "x".repeat(64)),
);
const volumeName = mostly(
  fc.constantFrom("data", "tmp"),
  fc.constantFrom("hedgerow-run", "hedgerow-token", "none", ""),
);
const number = mostly(
  fc.constantFrom(80, 8080, 9000, 65_535),
  fc.constantFrom(0, -1, 65_536, 15_001, 15_006, 15_020, null),
);
const portName = fc.constantFrom("web", "grpc", "metrics");
const port = mostly(fc.oneof(number, portName), fc.constantFrom("none", "8080", "UPPER", ""));

const header = fc.record({
  name: mostly(fc.constantFrom("Host", "x-a"), fc.constantFrom("a b", "", "é")),
  value: mostly(fc.constantFrom("b", "$(HOME)", ""), fc.constantFrom(null, "\n", "é")),
});
const httpGet = fc.record(
  {
    path: mostly(
      fc.constantFrom("/", "/ready?a=b", "healthz", "/$(POD_NAME)/$$"),
      fc.constantFrom("", "\u0000", "é", "x".repeat(5_000)),
    ),
    port,
    scheme: mostly(fc.constantFrom("HTTP", "HTTPS"), fc.constantFrom("http", "", null)),
    host: fc.constantFrom("", "127.0.0.1", "example.org"),
    httpHeaders: fc.oneof(
      fc.array(header, { maxLength: 3 }),
      seldom(fc.constant(Array(70).fill({ name: "x-many", value: "1" }))),
    ),
  },
  { requiredKeys: ["port"] },
);
const tcpSocket = fc.record({ port, host: fc.constantFrom("", "10.0.0.1") }, { requiredKeys: ["port"] });
const grpc = fc.record(
  { port: mostly(number, portName), service: mostly(fc.constantFrom("", "models"), fc.constant(null)) },
  { requiredKeys: ["port"] },
);
const exec = fc.constant({ command: ["true"] });
const handler = mostly(
  fc.oneof(fc.record({ httpGet }), fc.record({ tcpSocket }), fc.record({ grpc }), fc.record({ exec })),
  fc.oneof(fc.record({ httpGet, exec }), fc.record({ httpGet: fc.constant(null), tcpSocket }), fc.constant({})),
  60,
);
const seconds = mostly(fc.constantFrom(1, 2, 30), fc.constantFrom(0, -1, null, 2 ** 31 - 1), 60);
const timing = fc.record(
  { periodSeconds: seconds, timeoutSeconds: seconds, failureThreshold: seconds, initialDelaySeconds: seconds },
  { requiredKeys: [] },
);
const probe = fc.tuple(handler, timing).map(([one, times]) => ({ ...one, ...times }));
const hook = mostly(
  fc.oneof(
    fc.record({ httpGet }),
    fc.record({ exec }),
    fc.record({ tcpSocket }),
    fc.constant({ sleep: { seconds: 1 } }),
  ),
  fc.oneof(fc.constant({}), fc.record({ httpGet, exec })),
);

const containerPort = fc.record(
  {
    name: mostly(portName, fc.constantFrom("UPPER", "", "x".repeat(16))),
    containerPort: number,
    protocol: mostly(fc.constantFrom("TCP", "UDP", "SCTP"), fc.constantFrom("tcp", "", null)),
    hostPort: mostly(fc.constant(0), fc.constantFrom(30_000, 15_006, 70_000), 30),
  },
  { requiredKeys: ["containerPort"] },
);
const variable = mostly(
  fc.constantFrom<unknown[]>(
    { name: "A", value: "é" },
    { name: "HEDGEROW_PROBES", value: "{}" },
    { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
  ),
  fc.constantFrom({ name: "数" }, { name: "" }),
);
const security = fc.record(
  {
    runAsUser: mostly(fc.constantFrom(0, 1000), fc.constantFrom(1337, -1, null)),
    runAsNonRoot: fc.boolean(),
    privileged: fc.boolean(),
    capabilities: fc.constantFrom<unknown[]>({ drop: ["ALL"] }, { add: ["NET_ADMIN"] }, null),
    readOnlyRootFilesystem: fc.boolean(),
  },
  { requiredKeys: [] },
);
const containerParts = {
  name: containerName,
  image: mostly(
    fc.constantFrom("app", "registry.example/app:1", `app@sha256:${"a".repeat(64)}`),
    fc.constantFrom("", " app", null),
  ),
  ports: fc.uniqueArray(containerPort, { maxLength: 3, selector: ({ name }) => name }),
  env: fc.array(variable, { maxLength: 3 }),
  livenessProbe: probe,
  readinessProbe: mostly(probe, fc.constant(null)),
  startupProbe: probe,
  lifecycle: fc.record({ preStop: hook, postStart: hook }, { requiredKeys: [] }),
  securityContext: mostly(security, fc.constant(null)),
  volumeMounts: fc.uniqueArray(
    fc.record({
      name: volumeName,
      mountPath: fc.constantFrom("/data", "/run/hedgerow", "/var/run/secrets/hedgerow", "/x"),
    }),
    { maxLength: 2, selector: ({ mountPath }) => mountPath },
  ),
  resources: mostly(
    fc.constantFrom<unknown[]>({ requests: { cpu: "1" } }, { limits: { memory: "1Gi" } }, {}),
    fc.constant({ limits: { cpu: "1" }, requests: { cpu: "2" } }),
  ),
};
const optional = { requiredKeys: ["name", "image"] as ["name", "image"] };
const container = fc.record(
  { ...containerParts, restartPolicy: seldom(fc.constantFrom("Always", "Never", "x"), 30) },
  optional,
);
const plainInit = fc.record(
  {
    name: containerParts.name,
    image: containerParts.image,
    env: containerParts.env,
    ports: containerParts.ports,
    restartPolicy: seldom(fc.constantFrom("Always", null), 2),
  },
  optional,
);
const initContainer = fc.oneof(
  { weight: 4, arbitrary: plainInit },
  {
    weight: 4,
    arbitrary: fc.record(containerParts, optional).map((one) => ({ ...one, restartPolicy: "Always" })),
  },
  {
    weight: 1,
    arbitrary: fc.record({ ...containerParts, restartPolicy: seldom(fc.constant(""), 3) }, optional),
  },
);

const volume = mostly(
  fc.constantFrom<unknown[]>(
    { name: "data", emptyDir: {} },
    { name: "tmp", emptyDir: { medium: "Memory" } },
    { name: "tmp", configMap: { name: "c" } },
  ),
  fc.constantFrom<unknown[]>(
    { name: "hedgerow-run", emptyDir: {} },
    { name: "hedgerow-token", secret: { secretName: "s" } },
    { name: "" },
    null,
  ),
  12,
);

const annotationNames = [
  "outbound-ip-ranges",
  "exclude-outbound-ip-ranges",
  "outbound-ports",
  "exclude-outbound-ports",
  "inbound-ports",
  "exclude-inbound-ports",
  "drain",
  "proxy-cpu",
  "proxy-memory",
  "proxy-cpu-limit",
  "proxy-memory-limit",
  "unknown",
].map((name) => `hedgerow.dev/${name}`);
const annotationValue = fc.constantFrom("*", "10.0.0.0/8", "80", "80,443", "5s", "1", "256Mi", "", "x", "-1", "1e3");
const annotations = fc
  .tuple(
    seldom(fc.dictionary(fc.constantFrom(...annotationNames), annotationValue, { maxKeys: 2 }), 2),
    seldom(
      fc.dictionary(
        fc.constantFrom("scrape", "port", "path", "scheme").map((name) => `prometheus.io/${name}`),
        fc.constantFrom("true", "9090", "/m", "https", "é"),
      ),
      3,
    ),
    seldom(
      fc.constantFrom<Record<string, string>[]>(
        { a: "x".repeat(200_000) },
        // The most that an API server takes, to the byte, and one more.
        { b: "x".repeat(256 * 1024 - 1) },
        { c: "é".repeat(128 * 1024) },
        { "hedgerow.dev/status": "{" },
        { "hedgerow.dev/status": '{"revision":"default","version":"0.1.0"}' },
        { "kubernetes.io/config.mirror": "x" },
        { "a b": "" },
      ),
      6,
    ),
  )
  .map((parts) => Object.assign({}, ...parts) as Record<string, string>);
const labels = fc
  .tuple(
    fc.dictionary(
      fc.constantFrom("app", "x".repeat(63)),
      mostly(fc.constantFrom("a", "", "true"), fc.constantFrom("é", "x".repeat(64))),
    ),
    seldom(fc.constantFrom({ "hedgerow.dev/mesh": "true" }, { "hedgerow.dev/mesh": "" })),
  )
  .map((parts) => Object.assign({}, ...parts) as Record<string, string>);
const inject = seldom(fc.constantFrom("true", "false", "False", "yes", ""), 6);

/** Fields of the pod itself, each seldom there. */
const podFields = fc
  .record(
    {
      hostNetwork: fc.boolean(),
      hostPID: fc.boolean(),
      shareProcessNamespace: fc.boolean(),
      dnsPolicy: mostly(
        fc.constantFrom("ClusterFirst", "ClusterFirstWithHostNet", "Default"),
        fc.constantFrom("None", "x"),
      ),
      restartPolicy: mostly(fc.constantFrom("Always", "Never", "OnFailure"), fc.constant("x")),
      terminationGracePeriodSeconds: mostly(fc.constantFrom(0, 1, 30, 2 ** 53 - 1), fc.constant(-1)),
      securityContext: mostly(
        fc.constantFrom<unknown[]>(
          { runAsNonRoot: true },
          { fsGroup: 1 },
          { runAsUser: 1337 },
          { supplementalGroups: [1337] },
          null,
        ),
        fc.constant({ runAsUser: -1 }),
      ),
      os: fc.constantFrom({ name: "linux" }, { name: "windows" }, { name: "plan9" }),
      nodeSelector: fc.constantFrom({ "kubernetes.io/os": "windows" }, { disk: "ssd" }),
      resources: fc.constantFrom<unknown[]>(
        { requests: { cpu: "2" } },
        { limits: { memory: "4Gi" } },
        { limits: { cpu: "10m" } },
        {},
      ),
      automountServiceAccountToken: fc.boolean(),
      serviceAccountName: mostly(fc.constant("default"), fc.constant("nobody")),
      hostAliases: fc.constant([{ ip: "10.0.0.1", hostnames: ["a"] }]),
      hostUsers: fc.boolean(),
      ephemeralContainers: seldom(fc.constant([{ name: "debug", image: "app" }]), 2),
      activeDeadlineSeconds: fc.constantFrom(1, 0),
      schedulingGates: fc.constant([{ name: "wait" }]),
      hostname: mostly(fc.constant("h"), fc.constant("H_")),
      unknown: junk,
    },
    { requiredKeys: [] },
  )
  .chain((fields) => {
    const names = Object.keys(fields) as (keyof typeof fields)[];
    return fc
      .subarray(names, { maxLength: 3 })
      .map((kept) => Object.fromEntries(kept.map((name) => [name, fields[name]])));
  });

const spec = fc
  .record({
    containers: mostly(
      fc.oneof(
        { weight: 15, arbitrary: fc.array(container, { minLength: 1, maxLength: 3 }) },
        { weight: 1, arbitrary: fc.array(container, { minLength: 1, maxLength: 30 }) },
      ),
      fc.oneof(fc.constant([]), fc.constant(null), junk),
      40,
    ),
    initContainers: fc.oneof(fc.constant(undefined), fc.array(initContainer, { maxLength: 2 }), seldom(junk, 20)),
    volumes: mostly(
      fc.constant([
        { name: "data", emptyDir: {} },
        { name: "tmp", emptyDir: {} },
      ]),
      fc.oneof(fc.constant(undefined), fc.constant(null), fc.array(volume, { maxLength: 3 })),
      8,
    ),
    fields: podFields,
  })
  .map(({ fields, ...rest }) => ({ ...fields, ...rest }));

/** Names of containers in a pod are mostly different. */
function distinctNames(pod: OddPod): OddPod {
  const seen = new Set<unknown>();
  const rename = (list: unknown) =>
    Array.isArray(list)
      ? list.map((one: unknown, index) => {
          if (typeof one !== "object" || one === null || !("name" in one)) return one;
          const name = seen.has(one.name) ? `c${index}-${seen.size}` : one.name;
          seen.add(name);
          return { ...one, name };
        })
      : list;
  const { containers, initContainers } = pod.spec;
  return { ...pod, spec: { ...pod.spec, containers: rename(containers), initContainers: rename(initContainers) } };
}

export interface OddPod {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Of any shape that JSON can carry to `POST /api/v1/namespaces/…/pods`. */
export const oddPod: fc.Arbitrary<OddPod> = fc
  .record({
    name: mostly(
      fc.constantFrom<unknown[]>({ name: "p" }, { generateName: "p-" }, { name: "a.b.c" }, { name: "x".repeat(253) }),
      fc.constantFrom<unknown[]>({ name: "x".repeat(254) }, { name: "数" }, {}),
    ),
    labels,
    inject,
    annotations,
    spec,
    sameNames: fc.constantFrom(...Array<boolean>(20).fill(false), true),
  })
  .map(({ name, labels: all, inject: wish, annotations: notes, spec: made, sameNames }) => {
    const wished = wish === undefined ? all : { ...all, "hedgerow.dev/inject": wish };
    const isMirror = "kubernetes.io/config.mirror" in notes;
    const placed = isMirror ? { ...made, nodeName: "n", serviceAccountName: undefined, volumes: undefined } : made;
    const pod = { metadata: { ...(name as object), labels: wished, annotations: notes }, spec: placed };
    return sameNames ? pod : distinctNames(pod);
  });
