import { decide } from "@hedgerow/policy";
import { describe, expect, test } from "vitest";
import { cluster, endpoint, pod, service } from "../../test/cluster.ts";
import { build, parse, TRUST_DOMAIN } from "../../test/mesh.ts";
import type { ClusterState } from "../cluster/state.ts";
import { ModelBuilder, type ModelResult } from "./build.ts";
import type { Model } from "./model.ts";

const manifest = (name: string, ports = "[{port: 80, targetPort: 8080}]", selector = `{app: ${name}}`) => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: models}
spec: {selector: ${selector}, ports: ${ports}}
`;
const policy = (target: string, allow: string) => `---
apiVersion: hedgerow.dev/v1alpha1
kind: AccessPolicy
metadata: {name: ${target}, namespace: models}
spec: {targetRefs: [{kind: Service, name: ${target}}], allow: ${allow}}
`;
const meshConfig = (spec: string) => `---
apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh, namespace: hedgerow-system}
spec: {trustDomain: ${TRUST_DOMAIN}, ${spec}}
`;
const route = (parent: string, backend: string, weight = 1) => `---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: ${parent}, namespace: models}
spec: {parentRefs: [{kind: Service, name: ${parent}}], rules: [{backendRefs: [{name: ${backend}, port: 80, weight: ${weight}}]}]}
`;

const web = pod("models/web", "10.1.0.1", { labels: { app: "digits" } });
const digits = service("models/digits", { 80: [endpoint(web, 8080)] }, { protocol: "http" });
const modelOf = (state: ClusterState, yaml = ""): Model => build(parse(yaml), { cluster: state }).model;
const portsOf = (state: ClusterState, yaml = "", nodeId = "models/web") =>
  modelOf(state, yaml)
    .workloads.get(nodeId)
    ?.inbound.map(({ port, protocol }) => `${port} ${protocol}`);

describe("the ports of a pod", () => {
  test.each<[what: string, state: ClusterState, ports: readonly string[]]>([
    ["are those that Services lead to", cluster([web], [digits]), ["8080 http"]],
    [
      "whether it is ready or not",
      cluster([web], [service("models/digits", { 80: [endpoint(web, 8080, false)] })]),
      ["8080 auto"],
    ],
    ["none, while it has no address", cluster([{ ...web, address: undefined }], [digits]), []],
    [
      "where Services disagree, what says most",
      cluster([web], [service("models/a", { 80: [endpoint(web, 8080)] }, { protocol: "tcp" }), digits]),
      ["8080 http"],
    ],
    [
      "auto before tcp",
      cluster(
        [web],
        [
          service("models/a", { 80: [endpoint(web, 8080)] }, { protocol: "tcp" }),
          service("models/b", { 80: [endpoint(web, 8080)] }),
        ],
      ),
      ["8080 auto"],
    ],
    [
      "and those that its containers declare",
      cluster(
        [
          {
            ...web,
            ports: [
              { name: "http-metrics", port: 9090 },
              { name: undefined, port: 8080 },
            ],
          },
        ],
        [digits],
      ),
      ["8080 http", "9090 http"],
    ],
    [
      "not those that another namespace's Service claims",
      cluster([web], [service("evil/a", { 80: [endpoint(web, 22)] })]),
      [],
    ],
  ])("%s", (_, state, ports) => {
    expect(portsOf(state)).toEqual(ports);
  });

  test("are told by the Service that stands in front", () => {
    expect(modelOf(cluster([web], [digits])).workloads.get("models/web")).toMatchObject({
      object: { kind: "Pod", namespace: "models", name: "web" },
      inbound: [{ origin: { object: { kind: "Service", namespace: "models", name: "digits" } } }],
    });
  });
});

const callers = {
  plain: undefined,
  mesh: `spiffe://${TRUST_DOMAIN}/ns/other/sa/x`,
  friend: `spiffe://${TRUST_DOMAIN}/ns/friends/sa/x`,
};
/** Who gets in at the port of pod `web`. */
function getIn({ model }: Pick<ModelResult, "model">, port: number, nodeId = "models/web"): readonly string[] {
  const access = model.workloads.get(nodeId)?.inbound.find((inbound) => inbound.port === port)?.access ?? [];
  return Object.entries(callers).flatMap(([name, spiffeId]) =>
    decide(access, { spiffeId, path: "/" }).kind === "allow" ? [name] : [],
  );
}

describe("who gets in", () => {
  const everyone = ["plain", "mesh", "friend"];
  const strict = { models: "strict" } as const;
  const friends = policy("digits", "[{name: friends, from: [{namespace: friends}]}]");
  const metrics = { ...web, ports: [{ name: "metrics", port: 9090 }] };
  test.each<[what: string, state: ClusterState, yaml: string, port: number, who: readonly string[]]>([
    ["everyone where nothing says otherwise", cluster([web], [digits]), manifest("digits"), 8080, everyone],
    [
      "the mesh alone in a strict namespace",
      cluster([web], [digits], strict),
      manifest("digits"),
      8080,
      ["mesh", "friend"],
    ],
    [
      "the mesh alone in a strict mesh",
      cluster([web], [digits]),
      manifest("digits") + meshConfig("mtls: {mode: strict}"),
      8080,
      ["mesh", "friend"],
    ],
    [
      "everyone in a permissive namespace of a strict mesh",
      cluster([web], [digits], { models: "permissive" }),
      manifest("digits") + meshConfig("mtls: {mode: strict}"),
      8080,
      everyone,
    ],
    [
      "nobody where the default is to deny",
      cluster([web], [digits]),
      manifest("digits") + meshConfig("access: {default: deny}"),
      8080,
      [],
    ],
    ["whom the policy names", cluster([web], [digits]), manifest("digits") + friends, 8080, ["friend"]],
    [
      "whom the policy names of the Service whose route leads there",
      cluster([web], [service("models/back", { 80: [endpoint(web, 8080)] }), service("models/digits", { 80: [] })]),
      manifest("digits") + manifest("back") + friends + route("digits", "back"),
      8080,
      ["friend"],
    ],
    ["everyone at a port without a Service", cluster([metrics], [digits]), "", 9090, everyone],
    [
      "everyone there even where the default is to deny",
      cluster([metrics], [digits]),
      meshConfig("access: {default: deny}"),
      9090,
      everyone,
    ],
    ["nobody there in a strict namespace", cluster([metrics], [digits], strict), "", 9090, []],
    [
      "whom the policy names, though the Service has no EndpointSlice",
      cluster([{ ...web, ports: [{ name: undefined, port: 8080 }] }], [service("models/digits", { 80: [] })]),
      manifest("digits") + friends,
      8080,
      ["friend"],
    ],
  ])("%s", (_, state, yaml, port, who) => {
    expect(getIn(build(parse(yaml), { cluster: state }), port)).toEqual(who);
  });

  test("whom the policy names, after its Service is gone, at new pods too", () => {
    const named = manifest("digits", "[{port: 80, targetPort: http}]");
    const declared = { ...web, ports: [{ name: "http", port: 8080 }] };
    const { resolved } = build(parse(named + friends), { cluster: cluster([declared], [digits]) });
    const newer = { ...declared, ...pod("models/newer", "10.1.0.9"), labels: web.labels, ports: declared.ports };
    const after = build(parse(friends), { cluster: cluster([declared, newer]), lastResolved: resolved });
    expect([getIn(after, 8080), getIn(after, 8080, "models/newer")]).toEqual([["friend"], ["friend"]]);
  });
});

describe("a Service of the cluster", () => {
  const back = pod("models/back", "10.1.0.2");
  const mixed = service("models/digits", {
    80: [endpoint(web, 8080), endpoint(back, 8080, false), endpoint("10.1.0.3", 8080)],
  });
  const of = (state: ClusterState, yaml = manifest("digits")) => modelOf(state, yaml).services.get("models/digits/80");
  const ids = ["back", "web"].map((name) => `spiffe://${TRUST_DOMAIN}/ns/models/sa/${name}`);

  test("has its ready endpoints, and trusts the pods behind it, ready or not", () => {
    expect(of(cluster([web, back], [mixed]))).toMatchObject({
      spiffeIds: ids,
      endpoints: [
        { nodeId: "models/web", address: "10.1.0.1", port: 8080 },
        { nodeId: undefined, address: "10.1.0.3", port: 8080 },
      ],
      virtual: { port: 80, protocol: "auto", clusterIps: ["10.96.0.1"], plainEndpoints: true },
    });
  });

  test("has no endpoint outside the mesh in a strict namespace", () => {
    const built = of(cluster([web, back], [mixed], { models: "strict" }));
    expect([built?.endpoints.map(({ nodeId }) => nodeId), built?.virtual?.plainEndpoints]).toEqual([
      ["models/web"],
      false,
    ]);
  });

  test("without a selector selects no Workload", () => {
    const workload = `---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: w, namespace: models, labels: {app: x}}
spec: {serviceAccount: w, address: 10.0.0.1, inbound: [{port: 8443, appPort: 8080, protocol: http1}]}
`;
    const [object, ...others] = parse(manifest("digits") + workload);
    if (object?.manifest.kind !== "Service") throw new Error("not the Service");
    const free = { ...object, manifest: { ...object.manifest, spec: { ...object.manifest.spec, selector: {} } } };
    const { services } = build([free, ...others], { cluster: cluster([], [mixed]) }).model;
    expect(services.get("models/digits/80")?.spiffeIds).toEqual([]);
  });
});

describe("what captured callers reach through the mesh", () => {
  const plain = service("models/plain", { 80: [endpoint("10.1.0.3", 8080)] });
  const yaml = manifest("digits") + manifest("plain");
  const scopeOf = (state: ClusterState, text: string) =>
    modelOf(state, text).workloads.get("models/web")?.capture?.scope.services;
  test.each<[what: string, namespaces: Parameters<typeof cluster>[2], yaml: string, services: readonly string[]]>([
    ["Services with a pod of the mesh", {}, yaml, ["models/digits/80"]],
    ["with a route", {}, yaml + route("plain", "digits"), ["models/digits/80", "models/plain/80"]],
    ["with a policy", {}, yaml + policy("plain", "[]"), ["models/digits/80", "models/plain/80"]],
    ["of a namespace that says strict", { models: "strict" }, yaml, ["models/digits/80", "models/plain/80"]],
    [
      "all, where nothing else may be called",
      {},
      yaml + meshConfig("outbound: {mode: registry-only}"),
      ["models/digits/80", "models/plain/80"],
    ],
    ["but not for a strict mesh alone", {}, yaml + meshConfig("mtls: {mode: strict}"), ["models/digits/80"]],
  ])("%s", (_, namespaces, text, services) => {
    expect(scopeOf(cluster([web], [digits, plain], namespaces), text)).toEqual(services);
  });

  test("nothing that has no address in the cluster", () => {
    expect(scopeOf(cluster([web], [digits]), yaml)).toEqual(["models/digits/80"]);
  });
});

describe("after an edit, what it does not concern is the very same object:", () => {
  const others = ["a", "b"].map((name) => pod(`models/${name}`, `10.1.1.${name.charCodeAt(0)}`));
  const services = others.map((each) => service(`models/${each.name}`, { 80: [endpoint(each, 8080)] }));
  const text = manifest("digits") + manifest("a") + manifest("b");
  const objects = parse(text);
  const state = cluster([web, ...others], [digits, ...services]);
  const input = { objects, cluster: state, ready: new Set<string>(), trustDomain: TRUST_DOMAIN };
  const edited = (change: Partial<typeof input>) => {
    const builder = new ModelBuilder();
    const { model: before, resolved } = builder.build({ ...input, lastResolved: new Map() });
    const { model: after } = builder.build({ ...input, ...change, lastResolved: resolved });
    const services = [...after.services.values()].filter((each) => each !== before.services.get(each.id));
    const workloads = [...after.workloads.values()].filter((each) => each !== before.workloads.get(each.nodeId));
    return {
      services: after.services === before.services ? "same" : services.map(({ id }) => id),
      workloads: after.workloads === before.workloads ? "same" : workloads.map(({ nodeId }) => nodeId),
      model: after === before ? "same" : "new",
    };
  };

  test("everything, of no edit", () => {
    expect(edited({ ready: new Set() })).toEqual({ services: "same", workloads: "same", model: "same" });
  });

  test.each<[what: string, change: Parameters<typeof edited>[0], services: unknown, workloads: unknown]>([
    [
      "everything but one Service, of an endpoint that is no longer ready",
      {
        cluster: cluster(
          [...state.pods.values()],
          [service("models/digits", { 80: [endpoint(web, 8080, false)] }, { protocol: "http" }), ...services],
        ),
      },
      ["models/digits/80"],
      "same",
    ],
    [
      "everything but one Service, of a route",
      { objects: [...objects, ...parse(route("digits", "a"))] },
      ["models/digits/80"],
      "same",
    ],
    [
      "everything but its pod, of a policy",
      { objects: [...objects, ...parse(policy("digits", "[]"))] },
      "same",
      ["models/web"],
    ],
    [
      "everything but itself and its Service, of a pod with another address",
      { cluster: { ...state, pods: new Map(state.pods).set("models/web", { ...web, address: "10.1.0.7" }) } },
      ["models/digits/80"],
      ["models/web"],
    ],
    [
      "everything but itself, of a pod whose node is in another region",
      { cluster: { ...state, pods: new Map(state.pods).set("models/web", { ...web, region: "eu-2" }) } },
      "same",
      ["models/web"],
    ],
    [
      "everything, of a pod that says the same anew",
      { cluster: { ...state, pods: new Map(state.pods).set("models/web", { ...web, captured: { ...web.captured } }) } },
      "same",
      "same",
    ],
    [
      "everything but its namespace's pods, of a namespace that becomes strict",
      { cluster: { ...state, namespaces: new Map([["other", { name: "other", mtls: "strict" }]]) } },
      "same",
      "same",
    ],
  ])("%s", (_, change, services, workloads) => {
    expect(edited(change)).toMatchObject({ services, workloads });
  });
});

describe("a port that its pod takes out of the mesh", () => {
  const excluded = { ...web, captured: { only: undefined, except: [8080] } };
  const strict = meshConfig("mtls: {mode: strict}, outbound: {mode: registry-only}");
  const portOf = (state: ClusterState) => modelOf(state, strict).services.get("models/digits/80");

  test("is called in plain text, also in a strict namespace, and lends the Service no identity", () => {
    const port = portOf(cluster([excluded], [service("models/digits", { 80: [endpoint(excluded, 8080)] })]));
    expect(port?.endpoints.map(({ nodeId, address }) => [nodeId, address])).toEqual([[undefined, "10.1.0.1"]]);
    expect(port?.spiffeIds).toEqual([]);
    expect(port?.virtual?.plainEndpoints).toBe(true);
  });

  test("leaves the other pods of the Service in it", () => {
    const other = pod("models/other", "10.1.0.2", { labels: { app: "digits" } });
    const endpoints = [endpoint(excluded, 8080), endpoint(other, 8080)];
    const port = portOf(cluster([excluded, other], [service("models/digits", { 80: endpoints })]));
    expect(port?.endpoints.map(({ nodeId }) => nodeId)).toEqual([undefined, "models/other"]);
    expect(port?.spiffeIds).toHaveLength(1);
  });
});

test("a pod's second address, which is not captured, is no endpoint", () => {
  const second = { ...endpoint(web, 8080), address: "fd00::1" };
  const state = cluster([web], [service("models/digits", { 80: [endpoint(web, 8080), second] })]);
  const addresses = modelOf(state, meshConfig("mtls: {mode: strict}")).services.get("models/digits/80")?.endpoints;
  expect(addresses?.map(({ address }) => address)).toEqual(["10.1.0.1"]);
});
