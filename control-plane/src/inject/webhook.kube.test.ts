// The webhooks as a real API server calls them.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestApiServer } from "../../test/api-server.ts";
import { until } from "../../test/until.ts";
import { type Any, startWebhookCluster, type WebhookCluster } from "../../test/webhook-cluster.ts";

let cluster: WebhookCluster;
let api: TestApiServer;
let edits: WebhookCluster["edits"];
const get: WebhookCluster["get"] = (path) => cluster.get(path);
const create: WebhookCluster["createPod"] = (...args) => cluster.createPod(...args);

const container = { name: "app", image: "app", readinessProbe: { httpGet: { port: 8080 } } };
const pod = (name: string, labels: object = {}, spec: object = {}) => ({
  metadata: { name, labels },
  spec: { containers: [container], ...spec },
});
const isInjected = (object: Any) => object.spec.initContainers?.[1]?.name === "hedgerow-proxy";

/** As much of the Gateway API as a webhook looks at. */
const httpRoutes = {
  metadata: {
    name: "httproutes.gateway.networking.k8s.io",
    annotations: { "api-approved.kubernetes.io": "unapproved, for a test" },
  },
  spec: {
    group: "gateway.networking.k8s.io",
    scope: "Namespaced",
    names: { kind: "HTTPRoute", plural: "httproutes" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

beforeAll(async () => {
  cluster = await startWebhookCluster({
    plain: {},
    labelled: { "hedgerow.dev/injection": "enabled" },
    revised: { "hedgerow.dev/revision": "default" },
    "other-revision": { "hedgerow.dev/injection": "enabled", "hedgerow.dev/revision": "canary" },
    restricted: { "hedgerow.dev/injection": "enabled", "pod-security.kubernetes.io/enforce": "baseline" },
    "hedgerow-system": { "hedgerow.dev/injection": "enabled" },
  });
  ({ api, edits } = cluster);
  await api.kubectl(["label", "namespace", "kube-system", "hedgerow.dev/injection=enabled"]);
  await until("its account", () => get("/api/v1/namespaces/kube-system/serviceaccounts/default"));
}, 120_000);
afterAll(() => cluster[Symbol.asyncDispose](), 60_000);

describe("a pod", () => {
  it.each([
    ["labelled", {}, true],
    ["labelled", { "hedgerow.dev/inject": "false" }, false],
    ["revised", {}, true],
    ["other-revision", {}, false],
    ["plain", {}, false],
    ["plain", { "hedgerow.dev/inject": "true" }, true],
    ["kube-system", { "hedgerow.dev/inject": "true" }, false],
    ["hedgerow-system", { "hedgerow.dev/inject": "true" }, false],
  ])("in namespace %s with labels %j is injected: %s", async (namespace, labels, expected) => {
    expect(isInjected(await create(namespace, pod("p", labels), { dryRun: "All" }))).toBe(expected);
  });

  it("is accepted with its sidecar, and keeps what it had", async () => {
    const made = await create("labelled", pod("kept", { a: "b" }));
    expect(made.metadata.labels).toEqual({ a: "b", "hedgerow.dev/mesh": "true" });
    expect(made.spec.containers[0]).toMatchObject({
      name: "app",
      readinessProbe: { httpGet: { path: "/app-health/app/readyz", port: 15020 } },
    });
    expect(made.spec.initContainers).toMatchObject([
      { name: "hedgerow-init", securityContext: { capabilities: { add: ["NET_ADMIN"] } } },
      { name: "hedgerow-proxy", restartPolicy: "Always" },
    ]);
  });

  it("does not share its API token with the proxy, which Kubernetes would put there after us", async () => {
    const { containers, initContainers } = (await create("labelled", pod("token"), { dryRun: "All" })).spec;
    const tokens = [...containers, ...initContainers].map(({ volumeMounts }: Any) =>
      volumeMounts.map(({ name }: Any) => name.replace(/^(kube-api-access)-.*/, "$1")),
    );
    expect(tokens).toEqual([
      ["kube-api-access"],
      ["hedgerow-no-token"],
      ["hedgerow-run", "hedgerow-token", "hedgerow-no-token", "hedgerow-audit"],
    ]);
  });

  it("that is created from the one that the API server shows is the same", async () => {
    const { metadata, spec } = await create("labelled", pod("shown"));
    const { labels, annotations } = metadata;
    const again = await create("labelled", { metadata: { name: "again", labels, annotations }, spec });
    expect(again.spec).toEqual(spec);
    expect(again.metadata.annotations).toEqual(annotations);
  });

  it("is refused with the reason", async () => {
    await expect(create("labelled", pod("host", {}, { hostNetwork: true }))).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining("spec.hostNetwork must not be true: capture would redirect"),
    });
  });

  it("of a Deployment and of a Job has a sidecar", async () => {
    const template = { metadata: { labels: { app: "x" } }, spec: { containers: [container] } };
    const once = { ...template, spec: { ...template.spec, restartPolicy: "Never" } };
    const body = { metadata: { name: "of" }, spec: { selector: { matchLabels: { app: "x" } }, template } };
    await api.client.request("POST", "/apis/apps/v1/namespaces/labelled/deployments", { body });
    await api.client.request("POST", "/apis/batch/v1/namespaces/labelled/jobs", {
      body: { metadata: { name: "of-job" }, spec: { template: once } },
    });
    const owned = await until("pods of both", async () => {
      const pods: Any[] = (await get("/api/v1/namespaces/labelled/pods")).items;
      const found = pods.filter(({ metadata }) => metadata.ownerReferences !== undefined);
      return found.length >= 2 ? found : undefined;
    });
    expect(owned.map(isInjected)).toEqual([true, true]);
  });

  it("in a namespace below Pod Security level privileged is refused for the init container, by its name", async () => {
    await expect(create("restricted", pod("p"))).rejects.toThrow(/PodSecurity "baseline.*hedgerow-init.*NET_ADMIN/);
  });
});

describe("a manifest", () => {
  const path = "/apis/hedgerow.dev/v1alpha1/namespaces/plain/accesspolicies";
  const policy = (name: string) => ({
    apiVersion: "hedgerow.dev/v1alpha1",
    kind: "AccessPolicy",
    metadata: { name },
    spec: { targetRefs: [{ kind: "Service", name: "digits" }], allow: [] },
  });

  it("is judged, and whoever edits it is recorded", async () => {
    await until("the validating webhook", async () => {
      await api.client.request("POST", path, { body: policy("first"), query: { dryRun: "All" } });
      return edits.find(({ name }) => name === "first");
    });
    await api.client.request("POST", path, { body: policy("good") });
    await expect(api.client.request("POST", path, { body: policy("bad") })).rejects.toMatchObject({
      status: 422,
      message: expect.stringContaining("spec is bad"),
    });
    await api.client.request("DELETE", `${path}/good`);
    const said = edits.map(({ user, groups, operation, name, allowed, dryRun }) => ({
      user,
      groups,
      operation,
      name,
      allowed,
      dryRun,
    }));
    const admin = { user: "admin", groups: ["system:masters", "system:authenticated"] };
    expect(said).toEqual([
      { ...admin, operation: "CREATE", name: "first", allowed: true, dryRun: true },
      { ...admin, operation: "CREATE", name: "good", allowed: true, dryRun: false },
      { ...admin, operation: "CREATE", name: "bad", allowed: false, dryRun: false },
      { ...admin, operation: "DELETE", name: "good", allowed: true, dryRun: false },
    ]);
    const body = { ...policy("mesh"), kind: "MeshConfig", spec: { trustDomain: "bank.example" } };
    const meshes = "/apis/hedgerow.dev/v1alpha1/namespaces/plain/meshconfigs";
    await api.client.request("POST", meshes, { body, query: { dryRun: "All" } });
    expect(edits.at(-1)).toMatchObject({ kind: "MeshConfig", name: "mesh" });
  });

  it("of the Gateway API is judged where it is attached to a Service, before or after", async () => {
    await api.client.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", { body: httpRoutes });
    const routes = "/apis/gateway.networking.k8s.io/v1/namespaces/plain/httproutes";
    const route = (name: string, parentRefs?: object[]) => ({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name },
      spec: { parentRefs },
    });
    const before = edits.length;
    await until("routes", () => get(routes));
    await until("routes to be judged", async () => {
      await api.client.request("POST", routes, { body: route("try", [{ kind: "Service" }]), query: { dryRun: "All" } });
      return edits.length > before || undefined;
    });
    edits.splice(0);
    for (const [name, parentRefs] of [
      ["none"],
      ["gateway", [{ name: "g" }]],
      ["moved", [{ kind: "Service" }]],
    ] as const)
      await api.client.request("POST", routes, { body: route(name, parentRefs && [...parentRefs]) });
    await api.client.request("PATCH", `${routes}/moved`, {
      body: { spec: { parentRefs: [{ name: "g" }] } },
      contentType: "application/merge-patch+json",
    });
    for (const name of ["none", "gateway", "moved"]) await api.client.request("DELETE", `${routes}/${name}`);
    expect(edits.map(({ operation, kind, name }) => [operation, kind, name])).toEqual([
      ["CREATE", "HTTPRoute", "moved"],
      ["UPDATE", "HTTPRoute", "moved"],
    ]);
    await expect(api.client.request("POST", routes, { body: route("bad", [{ kind: "Service" }]) })).rejects.toThrow(
      "spec is bad",
    );
  });
});

describe("the CA bundle", () => {
  it("is put back where somebody took it away", async () => {
    const paths = ["mutating", "validating"].map(
      (kind) => `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/hedgerow-default`,
    );
    const bundles = async () =>
      (await Promise.all(paths.map(get))).flatMap(({ webhooks }) =>
        webhooks.map((one: Any) => one.clientConfig.caBundle),
      );
    const ours = Buffer.from(cluster.rootPem).toString("base64");
    for (const path of paths)
      await api.client.request("PATCH", path, {
        contentType: "application/json-patch+json",
        body: [{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }],
      });
    const missing = async () => (await bundles()).filter((bundle) => bundle !== ours).length;
    await until("our bundle everywhere", async () => (await missing()) === 0 || undefined);
    expect(await missing()).toBe(0);
  });
});

describe("without the webhook", () => {
  beforeAll(async () => {
    const kept = {
      apiVersion: "hedgerow.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "kept" },
      spec: { targetRefs: [{ kind: "Service", name: "digits" }], allow: [] },
    };
    await api.client.request("POST", "/apis/hedgerow.dev/v1alpha1/namespaces/plain/accesspolicies", { body: kept });
    await cluster.stopWebhook();
  });
  afterAll(() => cluster.startWebhook());

  it("no pod starts outside the mesh that belongs in it; every other pod starts", async () => {
    await expect(create("labelled", pod("late"))).rejects.toThrow(
      /failed calling webhook "namespace.inject.hedgerow.dev"/,
    );
    for (const [namespace, labels] of [
      ["labelled", { "hedgerow.dev/inject": "false" }],
      ["plain", {}],
      ["kube-system", {}],
      ["hedgerow-system", {}],
    ] as const)
      expect(isInjected(await create(namespace, pod("late", labels)))).toBe(false);
  });

  it("no policy changes unchecked; one may go, and the MeshConfig come that the webhook waits for", async () => {
    const path = "/apis/hedgerow.dev/v1alpha1/namespaces/plain";
    const body = (kind: string, spec: object) => ({
      apiVersion: "hedgerow.dev/v1alpha1",
      kind,
      metadata: { name: "x" },
      spec,
    });
    const policy = body("AccessPolicy", { targetRefs: [{ kind: "Service", name: "digits" }], allow: [] });
    await expect(api.client.request("POST", `${path}/accesspolicies`, { body: policy })).rejects.toThrow(
      /failed calling webhook "policy.validate.hedgerow.dev"/,
    );
    await api.client.request("DELETE", `${path}/accesspolicies/kept`);
    const mesh = { ...body("MeshConfig", { trustDomain: "bank.example" }), metadata: { name: "mesh" } };
    await api.client.request("POST", `${path}/meshconfigs`, { body: mesh });
  });
});
