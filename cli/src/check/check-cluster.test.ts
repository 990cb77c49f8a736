import { describe, expect, it } from "vitest";
import { checkCluster } from "./check-cluster.ts";
import type { ClusterFacts, Look } from "./facts.ts";

const nowMs = Date.parse("2026-11-24T10:00:00Z");
const day = 86_400_000;
const seen = <T>(value: T): Look<T> => ({ ok: true, value });
const unseen = { ok: false, why: "pods is forbidden: User cannot list" } as const;
const at = (ms: number) => new Date(nowMs + ms).toISOString();

const named = (name: string, rest: object = {}, namespace?: string) => ({
  metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...rest },
});
const definition = (name: string, schema: unknown = "schema", established = "True") => ({
  ...named(name),
  spec: { versions: [{ name: "v1", served: true, schema, additionalPrinterColumns: [], subresources: {} }] },
  status: { conditions: [{ type: "Established", status: established, message: "names are taken" }] },
});
const ours = ["meshconfigs.hedgerow.dev", "workloads.hedgerow.dev", "accesspolicies.hedgerow.dev"];
const gateway = {
  ...definition("httproutes.gateway.networking.k8s.io"),
  metadata: {
    name: "httproutes.gateway.networking.k8s.io",
    annotations: { "gateway.networking.k8s.io/bundle-version": "v1.6.3" },
  },
};
const root = { notBeforeMs: nowMs - day, notAfterMs: nowMs + 3000 * day, digest: "ab".repeat(32) };
const webhook = (name: string, kind: "Mutating" | "Validating") => ({
  name: `hedgerow-default: ${name}`,
  kind: `${kind}WebhookConfiguration` as const,
  failurePolicy: "Fail",
  service: { namespace: "hedgerow-system", name: "control-plane" },
  roots: seen([root]),
});
const webhooks = [
  webhook("namespace.inject.hedgerow.dev", "Mutating"),
  webhook("policy.validate.hedgerow.dev", "Validating"),
];
const deployment = {
  spec: {
    replicas: 2,
    template: {
      spec: { containers: [{ name: "control-plane", image: "registry:5000/control-plane:0.1.0@sha256:ab" }] },
    },
  },
  status: { readyReplicas: 2, updatedReplicas: 2 },
};
const managed = (field: string, ms: number) => [
  { time: at(ms), fieldsV1: { "f:metadata": { "f:labels": { [`f:${field}`]: {} } } } },
];
const fraud = named("fraud", {
  labels: { "hedgerow.dev/injection": "enabled", "hedgerow.dev/mtls": "strict" },
  managedFields: managed("hedgerow.dev/injection", -3_600_000),
});
const injected = (name: string, revision = "default", version = "0.1.0") =>
  named(name, { annotations: { "hedgerow.dev/status": JSON.stringify({ revision, version }) } }, "fraud");
const pod = (name: string, createdMs: number, rest: object = {}, labels: object = {}) => ({
  ...named(name, { creationTimestamp: at(createdMs), labels }, "fraud"),
  spec: {},
  status: { phase: "Running" },
  ...rest,
});
const config = (name: string, createdMs: number, mode = "strict") => ({
  ...named("mesh", { creationTimestamp: at(createdMs) }, name),
  spec: { trustDomain: `${name}.example`, mtls: { mode } },
});

/** A cluster in which all is well. */
const well: ClusterFacts = {
  nowMs,
  serverTimeMs: seen(nowMs),
  serverVersion: { gitVersion: "v1.36.3" },
  cliVersion: "0.1.0",
  expectedDefinitions: ours.map((name) => definition(name)),
  definitions: seen([...ours.map((name) => definition(name)), gateway]),
  webhooks: seen(webhooks),
  deployment: seen(deployment),
  endpointSlices: seen([{ endpoints: [{ conditions: { ready: true } }] }]),
  lease: seen({ spec: { holderIdentity: "control-plane-a", renewTime: at(-1000) } }),
  leaseMoved: undefined,
  meshConfigs: seen([config("hedgerow-system", -day)]),
  namespaces: seen([named("default"), fraud]),
  meshPods: seen([injected("api-1")]),
  otherPods: seen([]),
  refusal: seen({
    accepted: false,
    object: undefined,
    words:
      'Error from server: admission webhook "policy.validate.hedgerow.dev" denied the request: unknown field spec.mistake',
  }),
  injection: seen({
    accepted: true,
    object: {
      metadata: { labels: { "hedgerow.dev/mesh": "true" } },
      spec: { initContainers: [{ name: "hedgerow-proxy" }] },
    },
    words: "",
  }),
  servingCertificate: seen({ ...root, notAfterMs: nowMs + 20 * 3_600_000, trustedBy: "caBundle" as const }),
};

/** What is not good about a cluster that differs from one in which all is well. */
function complaints(change: Partial<ClusterFacts>): readonly string[] {
  return checkCluster({ ...well, ...change })
    .filter(({ level }) => level !== "good")
    .map(({ check, level, message }) => `${level === "bad" ? "✗" : "!"} ${check}: ${message}`);
}

describe("checkCluster", () => {
  it("finds nothing wrong with a cluster in which all is well", () => {
    expect(checkCluster(well).map(({ level, message }) => `${level} ${message}`)).toEqual([
      "good API server v1.36.3",
      "good control plane 0.1.0, this command too",
      "good 1 sidecar of version 0.1.0",
      "good 3 kinds of Hedgerow's are installed and current",
      "good Gateway API v1.6.3",
      "good 2 replicas of the control plane are ready",
      "good control-plane-a leads",
      "good trust domain hedgerow-system.example",
      "good 1 webhook for injection, with a CA",
      "good 1 webhook for validation, with a CA",
      "good the API server reaches the validating webhook",
      "good a pod that asks for a sidecar gets one",
      `good trust root ${"ab".repeat(6)}… is good for 3000 days`,
      "good the webhook's certificate chains to the caBundle, and is good for 20 hours; it renews itself",
      "good the clocks agree",
      "good namespace fraud in the mesh",
      "good every namespace of the mesh is strict: plain text is refused",
    ]);
  });

  it("advises to apply Hedgerow as docs/kubernetes.md does: a server-side apply conflicts with that", () => {
    const bare = { definitions: seen([]), webhooks: seen([]), deployment: seen(undefined) };
    const advice = checkCluster({ ...well, ...bare }).flatMap((finding) => finding.advice ?? []);
    expect(advice.filter((line) => line.includes("-k manifests/"))).toContain("kubectl apply -k manifests/base");
    expect(advice.filter((line) => /--server-side -k manifests/.test(line))).toEqual([]);
  });

  it.each<[name: string, change: Partial<ClusterFacts>, complaints: readonly string[]]>([
    [
      "an old API server",
      { serverVersion: { gitVersion: "v1.28.9" } },
      ["✗ api-server-version: API server v1.28.9 has no native sidecars"],
    ],
    [
      "a command of another version",
      { cliVersion: "0.2.0" },
      ["! control-plane-version: control plane 0.1.0, this command 0.2.0"],
    ],
    [
      "sidecars that lag, and one of another revision",
      { meshPods: seen([injected("b"), injected("a", "default", "0.0.9"), injected("c", "canary")]) },
      [
        "! sidecar-versions: 1 of 3 sidecars are of version 0.0.9: fraud/a",
        "! revision: sidecars of revision canary where the namespace says default: fraud/c",
      ],
    ],
    [
      "definitions that are missing, old and not established",
      {
        definitions: seen([definition(ours[1] ?? "", "another"), definition(ours[2] ?? "", "schema", "False")]),
      },
      [
        "✗ definitions: meshconfigs.hedgerow.dev is not installed",
        "! definitions: workloads.hedgerow.dev is of another version than this command",
        "✗ definitions: accesspolicies.hedgerow.dev is not established: names are taken",
        "! gateway-api: the Gateway API is not installed: there are no HTTPRoutes, so no canaries",
      ],
    ],
    [
      "no control plane",
      { deployment: seen(undefined), lease: seen(undefined), endpointSlices: seen([]) },
      ["✗ control-plane: there is no Deployment hedgerow-system/control-plane"],
    ],
    [
      "one replica of two",
      { deployment: seen({ ...deployment, status: { readyReplicas: 1, updatedReplicas: 2 } }) },
      ["! control-plane: 1 of 2 replicas of the control plane are ready"],
    ],
    [
      "a Service that leads to nobody",
      { endpointSlices: seen([{ endpoints: [{ conditions: { ready: false } }] }]) },
      ["✗ control-plane: Service hedgerow-system/control-plane leads to nobody"],
    ],
    [
      "a leader that is gone",
      { lease: seen({ spec: { holderIdentity: "a", renewTime: at(-60_000) } }), leaseMoved: false },
      ["✗ leader: a leads, and has not renewed its lease: nobody writes statuses"],
    ],
    [
      "no leader",
      { lease: seen({ spec: { holderIdentity: "" } }) },
      ["✗ leader: no replica leads: nobody writes statuses"],
    ],
    [
      "no MeshConfig",
      { meshConfigs: seen([]) },
      ["✗ mesh-config: there is no MeshConfig, so no trust domain: the control plane waits for one"],
    ],
    [
      "two MeshConfigs",
      { meshConfigs: seen([config("younger", -1), config("older", -2)]) },
      ["! mesh-config: 2 MeshConfigs: the oldest, of namespace older, is in force"],
    ],
    [
      "webhooks without a CA, led astray and open",
      {
        webhooks: seen([
          { ...(webhooks[0] ?? webhook("", "Mutating")), roots: { ok: false, why: "empty" }, service: undefined },
          { ...webhook("policy.validate.hedgerow.dev", "Validating"), failurePolicy: "Ignore" },
          { ...webhook("meshconfig.validate.hedgerow.dev", "Validating"), failurePolicy: "Ignore" },
        ]),
      },
      [
        "✗ webhooks: no usable caBundle: hedgerow-default: namespace.inject.hedgerow.dev (empty)",
        "✗ webhooks: not led to Service hedgerow-system/control-plane: hedgerow-default: namespace.inject.hedgerow.dev",
        "! webhooks: failurePolicy is not Fail: hedgerow-default: policy.validate.hedgerow.dev",
      ],
    ],
    [
      "webhooks that are not asked",
      {
        webhooks: seen([]),
        refusal: seen({ accepted: true, object: {}, words: "" }),
        injection: seen({ accepted: true, object: {}, words: "" }),
      },
      [
        "✗ webhooks: there is no MutatingWebhookConfiguration of Hedgerow's: no injection",
        "✗ webhooks: there is no ValidatingWebhookConfiguration of Hedgerow's: no validation",
        "✗ validation: an AccessPolicy with a mistake in it was let through",
        "✗ injection-webhook: a pod that asks for a sidecar gets none",
      ],
    ],
    [
      "webhooks out of reach",
      {
        refusal: seen({
          accepted: false,
          object: undefined,
          words:
            'Error from server (InternalError): error when creating "STDIN": Internal error occurred: failed calling webhook "policy.validate.hedgerow.dev": failed to call webhook: Post "https://x": no endpoints available',
        }),
        injection: seen({
          accepted: false,
          object: undefined,
          words:
            'Error from server (Forbidden): error when creating "STDIN": pods "hedgerow-check" is forbidden: violates PodSecurity',
        }),
      },
      [
        '✗ validation: the API server does not reach the validating webhook: Post "https://x": no endpoints available',
        '! injection-webhook: could not look at injection at work: pods "hedgerow-check" is forbidden: violates PodSecurity',
      ],
    ],
    [
      "certificates that end",
      {
        webhooks: seen(
          webhooks.map((one) => ({
            ...one,
            roots: seen([
              { ...root, notAfterMs: nowMs + 30 * day },
              { ...root, digest: "cd", notAfterMs: nowMs - 1 },
            ]),
          })),
        ),
        servingCertificate: seen({ ...root, trustedBy: "nobody" as const }),
      },
      [
        `! certificate-authority: trust root ${"ab".repeat(6)}… ends in 30 days`,
        "✗ certificate-authority: trust root cd… has expired: nobody in the mesh trusts anybody",
        "✗ webhook-certificate: the webhook's certificate does not chain to the caBundle that the API server has",
      ],
    ],
    [
      "clocks apart",
      { serverTimeMs: seen(nowMs - 60_000) },
      [
        "✗ clocks: this machine's clock is 60 s ahead of the API server's",
        "✗ clocks: the control plane's clock is 59 s ahead of the API server's",
      ],
    ],
    [
      "a control plane whose clock is behind, though it renews its lease",
      { lease: seen({ spec: { holderIdentity: "a", renewTime: at(-60_000) } }), leaseMoved: true },
      ["✗ clocks: the control plane's clock is 60 s behind the API server's"],
    ],
    [
      "pods outside the mesh, and why",
      {
        otherPods: seen([
          pod("host", -1, { spec: { hostNetwork: true } }),
          pod("out", -1, {}, { "hedgerow.dev/inject": "false" }),
          pod("old", -7_200_000),
          pod("new", -60_000),
          pod("done", -1, { status: { phase: "Succeeded" } }),
        ]),
      },
      [
        "! injection: without a sidecar, for they use the host's network: fraud/host",
        "! injection: without a sidecar, for they are older than the namespace's label: fraud/old",
        "✗ injection: without a sidecar, though created under the label: fraud/new",
      ],
    ],
    [
      "no namespace",
      { namespaces: seen([named("default")]), meshPods: seen([]) },
      ["! injection: no namespace is in the mesh"],
    ],
    [
      "labels that are misspelt",
      {
        namespaces: seen([
          fraud,
          named("models", { labels: { "hedgerow.dev/injection": "true", "hedgerow.dev/mtls": "stirct" } }),
        ]),
      },
      [
        "! labels: namespace models has label hedgerow.dev/injection=true, which counts as absent",
        "! labels: namespace models has label hedgerow.dev/mtls=stirct, which counts as absent",
      ],
    ],
    [
      "a namespace that takes plain text",
      {
        namespaces: seen([named("fraud", { labels: { "hedgerow.dev/revision": "default" } })]),
        meshConfigs: seen([config("m", 0, "permissive")]),
      },
      ["! mtls: pods take plain text: fraud"],
    ],
    [
      "nothing that may be seen",
      {
        definitions: unseen,
        webhooks: unseen,
        deployment: unseen,
        endpointSlices: unseen,
        lease: unseen,
        meshConfigs: unseen,
        namespaces: unseen,
        meshPods: unseen,
        otherPods: unseen,
        refusal: unseen,
        injection: unseen,
        servingCertificate: unseen,
        serverTimeMs: unseen,
      },
      [
        "pods with a sidecar",
        "custom resource definitions",
        "the control plane",
        "the endpoints of the control plane",
        "the leader",
        "the MeshConfig",
        "webhook configurations",
        "the webhook's certificate",
        "the API server's clock",
        "namespaces",
      ].map((what) => expect.stringContaining(`could not look at ${what}: pods is forbidden`) as string),
    ],
  ])("complains of %s", (_name, change, expected) => {
    expect(complaints(change)).toEqual(expected);
  });

  it("names a few of many, and says what to do about each fault", () => {
    const many = Array.from({ length: 9 }, (_, index) => pod(`p${index}`, -7_200_000));
    expect(complaints({ otherPods: seen(many) })).toEqual([
      "! injection: without a sidecar, for they are older than the namespace's label: fraud/p0, fraud/p1, fraud/p2, fraud/p3, fraud/p4 and 4 more",
    ]);
    for (const { level, advice } of checkCluster({ ...well, deployment: seen(undefined), meshConfigs: seen([]) }))
      expect(advice === undefined).toBe(level === "good");
  });

  it("makes no sense of nonsense, and does not throw", () => {
    const nonsense = {
      ...well,
      definitions: seen([null, 5, {}]),
      namespaces: seen(["x"]),
      lease: seen([]),
      deployment: seen("x"),
      meshConfigs: seen([undefined]),
      meshPods: seen([{}]),
      otherPods: seen([1]),
    };
    expect(checkCluster(nonsense).length).toBeGreaterThan(5);
  });
});
