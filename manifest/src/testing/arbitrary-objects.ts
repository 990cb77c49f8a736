// Objects of our own kinds as people may write them: all that the schemas let through, with an eye on the edges.
import fc from "fast-check";

const edge = fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz0123456789".split(""));
const inner = fc.constantFrom(..."abcxyz019-".split(""));

function nameOf(maxLength: number): fc.Arbitrary<string> {
  const middle = fc.oneof(
    fc.array(inner, { maxLength: 5 }),
    fc.array(inner, { minLength: maxLength - 2, maxLength: maxLength - 2 }),
  );
  return fc.oneof(
    edge,
    fc.tuple(edge, middle, edge).map(([first, rest, last]) => first + rest.join("") + last),
  );
}

const label = nameOf(63);
const subdomain = fc.oneof(
  nameOf(253),
  fc.array(label, { minLength: 2, maxLength: 3 }).map((labels) => labels.join(".")),
);
const namespacedName = fc.tuple(label, nameOf(253)).map(([namespace, name]) => `${namespace}/${name}`);
const port = fc.oneof(fc.integer({ min: 1, max: 65535 }), fc.constantFrom(1, 65535));
/** IANA_SVC_NAME: with a letter. */
const portName = fc.tuple(nameOf(14), fc.constantFrom("a", "z")).map(([name, letter]) => name + letter);
const address = fc.oneof(
  fc.ipV4(),
  // An IPv4 address inside is not taken, and a zone is none of the address.
  fc.ipV6().filter((text) => !text.includes(".")),
  fc.constantFrom("::", "::1", "1::", "0.0.0.0", "255.255.255.255", "2001:DB8::A", "1:2:3:4:5:6:7:8"),
);
const inRange = (...texts: readonly string[]) => fc.constantFrom(...texts);

/** Values with which a rule's fields differ from one another. */
const distinct = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number, selector: (value: T) => unknown) =>
  fc.uniqueArray(arbitrary, { maxLength, selector });

const meshConfigSpec = fc.record(
  {
    trustDomain: subdomain,
    identity: fc.record(
      {
        lifetime: inRange("30s", "720h", "1h30m", "30000ms", "0h30s", "43200m", "99999ms", "1s29s", "719h59m59s999ms"),
      },
      { requiredKeys: [] },
    ),
    mtls: fc.record({ mode: fc.constantFrom("strict", "permissive") }, { requiredKeys: [] }),
    outbound: fc.record({ mode: fc.constantFrom("passthrough", "registry-only") }, { requiredKeys: [] }),
    access: fc.record({ default: fc.constantFrom("allow", "deny") }, { requiredKeys: [] }),
  },
  { requiredKeys: ["trustDomain"] },
);

const workloadSpec = distinct(port, 12, (value) => value).chain((ports) => {
  const third = Math.floor(ports.length / 3);
  const inbound = ports.slice(0, third).map((listens, index) =>
    fc.record(
      {
        name: portName.map((name) => `${index}${name}`.slice(0, 15)),
        port: fc.constant(listens),
        appPort: fc.constant(ports[third + index]),
        protocol: fc.constantFrom("http1", "http2", "grpc"),
      },
      { requiredKeys: ["port", "appPort", "protocol"] },
    ),
  );
  const upstreams = ports
    .slice(2 * third)
    .map((localPort) =>
      fc.record(
        { service: namespacedName, port, localPort: fc.constant(localPort) },
        { requiredKeys: ["service", "localPort"] },
      ),
    );
  return fc.record(
    {
      serviceAccount: label,
      address,
      region: label,
      inbound: fc.tuple(...inbound),
      upstreams: fc.tuple(...upstreams),
      drain: inRange("0s", "10m", "5s", "60000ms", "9m59s999ms", "0h", "500ms"),
    },
    { requiredKeys: ["serviceAccount", "address"] },
  );
});

const principal = fc.oneof(fc.record({ serviceAccount: namespacedName }), fc.record({ namespace: label }));
const path = fc.oneof(
  fc.constantFrom("/", "/*", "/v1/models/digits", "/v1/*", `/${"a".repeat(1023)}`),
  fc.webPath().map((text) => `/${text.replace(/[*?#]/g, "").slice(0, 1000)}`),
  fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => `/${text.replace(/[*?#]/g, "")}*`),
);
const policySpec = fc.record({
  targetRefs: distinct(subdomain, 16, (name) => name)
    .filter((names) => names.length > 0)
    .chain((names) =>
      fc.tuple(
        ...names.map((name) =>
          fc.record(
            { group: fc.constantFrom("", "core"), kind: fc.constant("Service"), name: fc.constant(name) },
            { requiredKeys: ["kind", "name"] },
          ),
        ),
      ),
    ),
  allow: distinct(
    fc.record(
      {
        name: label,
        from: fc.array(principal, { minLength: 1, maxLength: 8 }),
        methods: fc.array(fc.constantFrom("infer", "metadata", "ready", "live"), { minLength: 1, maxLength: 16 }),
        paths: fc.array(path, { minLength: 1, maxLength: 8 }),
      },
      { requiredKeys: ["name", "from"] },
    ),
    8,
    ({ name }) => name,
  ),
});

const serviceRefs = distinct(subdomain, 16, (name) => name)
  .filter((names) => names.length > 0)
  .map((names) => names.map((name) => ({ kind: "Service", name })));

const secret = fc.record({ secretName: subdomain });
const endpoint = inRange(
  "http://collector",
  "https://collector.ops:4318",
  "http://[::1]:65535",
  "https://10.0.0.1:1",
  `https://${"a".repeat(504)}`,
);
const sinkTarget = fc.oneof(
  // Paths that lie apart from each other.
  label.map((name) => ({ file: { path: `/mnt/${name.replaceAll("-", "_")}` } })),
  fc
    .record(
      {
        bucket: inRange("abc", "hedgerow-audit", "a.b.c", "a".repeat(63)),
        endpoint,
        prefix: inRange("", "models/", "a=1/b=2/", "_", "p".repeat(512)),
        objectLock: fc.constantFrom("none", "governance", "compliance"),
        credentials: secret,
      },
      { requiredKeys: ["bucket", "credentials"] },
    )
    .map((s3) => ({ s3 })),
  fc.record({ endpoint }).map((otlp) => ({ otlp })),
);
const sink = fc
  .tuple(
    fc.record({ name: label, region: label }),
    fc.record({ required: fc.boolean() }, { requiredKeys: [] }),
    sinkTarget,
    fc.boolean(),
  )
  .map(([{ name, region }, required, target, isNowhere]) => ({
    name,
    ...(isNowhere && !("s3" in target) ? {} : { region }),
    ...required,
    ...target,
  }));
const auditPolicySpec = fc.record(
  {
    // Its own namespace, which is `models` where these are tried.
    targetRefs: serviceRefs.map((refs) => [{ kind: "Namespace", name: "models" }, ...refs.slice(0, 15)]),
    durability: fc.record(
      { fsync: fc.constantFrom("batch", "each"), every: inRange("1ms", "5ms", "1s", "1000ms", "0s1ms") },
      { requiredKeys: [] },
    ),
    failMode: fc.constantFrom("closed", "open"),
    keys: fc.record({ digest: secret, encryption: secret }, { requiredKeys: [] }),
    digests: fc.record({ output: fc.boolean() }, { requiredKeys: [] }),
    payload: fc.record(
      {
        sample: inRange("0.01%", "1%", "1.5%", "099.99%", "100%", "100.00%"),
        maxBytes: inRange("1Ki", "1024", "64Ki", "1Mi", "1048576"),
        recipient: secret,
      },
      { requiredKeys: ["sample", "recipient"] },
    ),
    retention: fc.record(
      { class: label, keepYears: fc.integer({ min: 1, max: 100 }), legalHold: fc.boolean() },
      { requiredKeys: [] },
    ),
    sinks: distinct(sink, 8, ({ name }) => name).map((sinks) => apart(sinks)),
  },
  { requiredKeys: ["targetRefs"] },
);

/** Without those whose files stand where an earlier one's do. */
function apart<T extends object>(sinks: readonly T[]): readonly T[] {
  const pathOf = (sink: T) => ("file" in sink ? JSON.stringify(sink.file) : undefined);
  return sinks.filter(
    (sink, index) =>
      pathOf(sink) === undefined || !sinks.slice(0, index).some((earlier) => pathOf(earlier) === pathOf(sink)),
  );
}

const trafficPolicySpec = fc.record(
  {
    targetRefs: serviceRefs,
    maxRequestBytes: inRange("1Ki", "1024", "4Mi", "256Mi", "262144Ki", "268435456"),
  },
  { requiredKeys: ["targetRefs"] },
);

/** A spec of a kind that is valid, in namespace `models`. */
export const validSpecs = {
  MeshConfig: meshConfigSpec,
  Workload: workloadSpec,
  AccessPolicy: policySpec,
  AuditPolicy: auditPolicySpec,
  TrafficPolicy: trafficPolicySpec,
};
