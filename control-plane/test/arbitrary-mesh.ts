// Meshes at random, from few names, so that references hit, miss and collide.
import { type Manifest, manifestSchemas, type SourceObject } from "@hedgerow/manifest";
import fc from "fast-check";

/** An object of a manifest, as the parser gives it; throws where the schema refuses it. */
export function objectOf(manifest: unknown): SourceObject {
  const kind = (manifest as { kind: Manifest["kind"] }).kind;
  const parsed: Manifest = manifestSchemas[kind].parse(manifest);
  const position = { file: "generated.yaml", line: 1, column: 1 };
  return { manifest: parsed, text: JSON.stringify(manifest), file: position.file, line: 1, positionOf: () => position };
}

const namespace = fc.constantFrom("n1", "n2");
const serviceName = fc.constantFrom("a", "b", "c", "d");
const port = fc.constantFrom(80, 81);
const app = fc.constantFrom("x", "y");
const born = fc.option(fc.constantFrom("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), { nil: undefined });

const meta = <T>(name: fc.Arbitrary<T>) =>
  fc.record({ name, namespace, creationTimestamp: born }, { requiredKeys: ["name", "namespace"] });
const metaWith = <T>(name: fc.Arbitrary<T>) =>
  fc
    .tuple(meta(name), fc.record({ app, version: fc.constantFrom("v1", "v2") }))
    .map(([metadata, labels]) => defined({ ...metadata, labels }));

// A field that is absent, rather than undefined.
function defined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}

const optionalPort = fc.option(port, { nil: undefined });
const workload = fc.record({
  apiVersion: fc.constant("hedgerow.dev/v1alpha1"),
  kind: fc.constant("Workload"),
  metadata: metaWith(fc.constantFrom("w1", "w2", "w3", "w4")),
  spec: fc.record({
    serviceAccount: fc.constantFrom("s1", "s2"),
    address: fc.constantFrom("10.0.0.1", "10.0.0.2"),
    inbound: fc.uniqueArray(
      fc.record({
        port: fc.constantFrom(8443, 8444),
        appPort: fc.constantFrom(80, 81, 90),
        protocol: fc.constantFrom("http1", "http2", "grpc"),
      }),
      { maxLength: 2, selector: (entry) => entry.port },
    ),
    upstreams: fc
      .uniqueArray(
        fc.record({
          service: fc.tuple(namespace, serviceName).map((parts) => parts.join("/")),
          port: optionalPort,
          localPort: fc.integer({ min: 15100, max: 15105 }),
        }),
        { maxLength: 3, selector: (entry) => entry.localPort },
      )
      .map((entries) => entries.map(defined)),
  }),
});

const service = fc.record({
  apiVersion: fc.constant("v1"),
  kind: fc.constant("Service"),
  metadata: meta(serviceName).map(defined),
  spec: fc.record({
    selector: fc.oneof(fc.record({ app }), fc.record({ app, version: fc.constantFrom("v1", "v2") })),
    ports: fc.uniqueArray(fc.record({ port, targetPort: fc.constantFrom(80, 90) }), {
      minLength: 1,
      maxLength: 2,
      selector: (entry) => entry.port,
    }),
  }),
});

const optionalNamespace = fc.option(namespace, { nil: undefined, freq: 5 });
const match = fc.record({
  path: fc.record({
    type: fc.constantFrom("Exact", "PathPrefix", "RegularExpression"),
    value: fc.constantFrom("/", "/a", "/a/", "/a/b", "/never?"),
  }),
  headers: fc.array(fc.record({ name: fc.constantFrom("X-A", "x-a", "x-b"), value: fc.constantFrom("1", "2") }), {
    maxLength: 2,
  }),
});
const httpRoute = fc.record({
  apiVersion: fc.constant("gateway.networking.k8s.io/v1"),
  kind: fc.constant("HTTPRoute"),
  metadata: meta(fc.constantFrom("r1", "r2")).map(defined),
  spec: fc.record({
    parentRefs: fc.array(
      fc
        .record({ kind: fc.constant("Service"), name: serviceName, port: optionalPort, namespace: optionalNamespace })
        .map(defined),
      { minLength: 1, maxLength: 2 },
    ),
    rules: fc.array(
      fc.record({
        matches: fc.array(match, { maxLength: 2 }),
        backendRefs: fc.array(
          fc
            .record({
              name: serviceName,
              port: optionalPort,
              namespace: optionalNamespace,
              weight: fc.constantFrom(0, 1, 9),
            })
            .map(defined),
          { minLength: 1, maxLength: 3 },
        ),
      }),
      { minLength: 1, maxLength: 2 },
    ),
  }),
});

/** Rules of an AccessPolicy. */
export const allow = fc.array(
  fc
    .record({
      name: fc.constantFrom("one", "two"),
      from: fc.array(
        fc.oneof(
          fc.record({ namespace }),
          fc.record({ serviceAccount: fc.constantFrom("n1/s1", "n1/s2", "n2/s1", "n1/s") }),
        ),
        { minLength: 1, maxLength: 2 },
      ),
      methods: fc.option(fc.uniqueArray(fc.constantFrom("infer", "metadata", "ready", "live"), { minLength: 1 }), {
        nil: undefined,
      }),
      paths: fc.option(fc.array(fc.constantFrom("/x", "/x*", "/v2/*", "/*"), { minLength: 1, maxLength: 2 }), {
        nil: undefined,
      }),
    })
    .map(defined),
  { maxLength: 3 },
);

const accessPolicy = fc.record({
  apiVersion: fc.constant("hedgerow.dev/v1alpha1"),
  kind: fc.constant("AccessPolicy"),
  metadata: meta(fc.constantFrom("p1", "p2")).map(defined),
  spec: fc.record({
    targetRefs: fc.uniqueArray(fc.record({ kind: fc.constant("Service"), name: serviceName }), {
      minLength: 1,
      maxLength: 2,
      selector: (ref) => ref.name,
    }),
    allow,
  }),
});

/** What an AuditPolicy says beside its targets. */
export const audited = fc
  .record({
    failMode: fc.option(fc.constantFrom("closed", "open"), { nil: undefined }),
    keys: fc.option(fc.constantFrom({}, { encryption: { secretName: "kek" } }), { nil: undefined }),
    sinks: fc.option(
      fc.constantFrom(
        [],
        [{ name: "share", file: { path: "/mnt/audit" } }],
        [
          {
            name: "vault",
            region: "me-central-1",
            required: true,
            s3: { bucket: "audit", objectLock: "compliance", credentials: { secretName: "s3" } },
          },
        ],
      ),
      { nil: undefined },
    ),
  })
  .map(defined);

const auditPolicy = fc
  .tuple(meta(fc.constantFrom("p1", "p2", "p3")).map(defined), fc.uniqueArray(serviceName, { maxLength: 2 }), audited)
  .chain(([metadata, names, spec]) =>
    fc.boolean().map((isNamespace) => ({
      apiVersion: "hedgerow.dev/v1alpha1",
      kind: "AuditPolicy",
      metadata,
      spec: {
        ...spec,
        targetRefs: [
          ...names.map((name) => ({ kind: "Service", name })),
          ...(isNamespace || names.length === 0
            ? [{ kind: "Namespace", name: (metadata as { namespace: string }).namespace }]
            : []),
        ],
      },
    })),
  );

const trafficPolicy = fc.record({
  apiVersion: fc.constant("hedgerow.dev/v1alpha1"),
  kind: fc.constant("TrafficPolicy"),
  metadata: meta(fc.constantFrom("p1", "p2")).map(defined),
  spec: fc
    .record({
      targetRefs: fc.uniqueArray(fc.record({ kind: fc.constant("Service"), name: serviceName }), {
        minLength: 1,
        maxLength: 2,
        selector: (ref) => ref.name,
      }),
      maxRequestBytes: fc.constantFrom(undefined, "1Ki", "4Mi", "64Mi"),
    })
    .map(defined),
});

const meshConfig = fc.record({
  apiVersion: fc.constant("hedgerow.dev/v1alpha1"),
  kind: fc.constant("MeshConfig"),
  metadata: fc.constant({ name: "mesh" }),
  spec: fc.record({
    trustDomain: fc.constant("bank.ae"),
    access: fc.record({ default: fc.constantFrom("allow", "deny") }),
    mtls: fc.record({ mode: fc.constantFrom("permissive", "strict") }),
    outbound: fc.record({ mode: fc.constantFrom("passthrough", "registry-only") }),
  }),
});

/** A valid object; what it refers to may be missing. */
export const anyObject: fc.Arbitrary<SourceObject> = fc
  .oneof(
    { weight: 5, arbitrary: workload },
    { weight: 4, arbitrary: service },
    { weight: 2, arbitrary: httpRoute },
    { weight: 2, arbitrary: accessPolicy },
    { weight: 2, arbitrary: auditPolicy },
    { weight: 1, arbitrary: trafficPolicy },
    { weight: 1, arbitrary: meshConfig },
  )
  .map(objectOf);

/** Valid objects with distinct keys. */
export const mesh: fc.Arbitrary<readonly SourceObject[]> = fc.uniqueArray(anyObject, {
  minLength: 3,
  maxLength: 24,
  selector: ({ manifest: { kind, metadata } }) => `${kind}/${metadata.namespace}/${metadata.name}`,
});

/** A caller's id and path, near to what policies name. */
export const accessRequest = fc.record({
  spiffeId: fc.constantFrom(
    "spiffe://bank.ae/ns/n1/sa/s1",
    "spiffe://bank.ae/ns/n1/sa/s2",
    "spiffe://bank.ae/ns/n2/sa/s1",
    "spiffe://bank.ae/ns/n22/sa/s1",
    "spiffe://other.ae/ns/n1/sa/s1",
    // In plain text.
    undefined,
  ),
  path: fc.constantFrom(
    "/x",
    "/xy",
    "/",
    "/v2",
    "/v2/models/m",
    "/v2/models/m/infer",
    "/v2/models/m/versions/1/infer",
    "/v2/models/m/ready",
    "/v2/health/live",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ServerLive",
  ),
});
