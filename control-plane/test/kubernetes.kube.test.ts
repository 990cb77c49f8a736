// Replicas of the control plane at a real API server.
import { writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL } from "@hedgerow/proto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { installKinds, startApiServer, type TestApiServer, type Wire, wireTo } from "./api-server.ts";
import { ControlPlaneDirectory, ControlPlaneProcess, TestAgent } from "./control-plane-process.ts";
import { until } from "./until.ts";

/** API servers take no endpoints on loopback addresses. */
const host = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === "IPv4" && !address.internal)?.address;

let api: TestApiServer;
let open: AsyncDisposableStack;
beforeAll(async () => {
  api = await startApiServer();
  await installKinds(api);
  await apply(
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "hedgerow-system" } },
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "models" } },
    { apiVersion: "v1", kind: "Node", metadata: { name: "n1", labels: { "topology.kubernetes.io/region": "eu" } } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "digits", namespace: "models" } },
    service("models", "digits", { selector: { app: "digits" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] }),
    service("hedgerow-system", "control-plane", { ports: [{ name: "tls-mesh", port: 15012 }] }),
    {
      apiVersion: "hedgerow.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "digits", namespace: "models" },
      spec: { targetRefs: [{ kind: "Service", name: "digits" }], allow: [] },
    },
    pod("web-0.blue"),
    pod("web-1"),
  );
  for (const file of ["service-account", "rbac"])
    await api.kubectl(["apply", "-f", join(import.meta.dirname, `../../manifests/base/${file}.yaml`)]);
  for (const [name, podIP] of [
    ["web-0.blue", "10.1.0.1"],
    ["web-1", "10.1.0.2"],
  ] as const)
    await api.client.request("PATCH", `/api/v1/namespaces/models/pods/${name}/status`, {
      body: { status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] } },
      contentType: "application/merge-patch+json",
    });
}, 180_000);
afterAll(() => api[Symbol.asyncDispose](), 60_000);
beforeEach(async () => {
  open = new AsyncDisposableStack();
  await apply(meshConfig);
  return async () => {
    await open.disposeAsync();
    const inSystem = ["-n", "hedgerow-system", "delete", "--ignore-not-found"];
    await api.kubectl([...inSystem, "secret/hedgerow-ca", "lease/control-plane"]);
    await api.kubectl([...inSystem, "endpointslices", "--all"]);
  };
});

const meshConfig = {
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "MeshConfig",
  metadata: { name: "mesh", namespace: "hedgerow-system" },
  spec: { trustDomain: "bank.example" },
};
const service = (namespace: string, name: string, spec: object) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec,
});
const pod = (name: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "models", labels: { app: "digits", "hedgerow.dev/mesh": "true" } },
  spec: {
    serviceAccountName: "digits",
    nodeName: "n1",
    containers: [{ name: "app", image: "app", ports: [{ containerPort: 8080 }] }],
  },
});
async function apply(...objects: readonly object[]): Promise<void> {
  await api.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }));
}

/** What a replica's pod would have: a wire of its own to the API server, and an endpoint behind the Service. */
interface Replica {
  readonly process: ControlPlaneProcess;
  readonly wire: Wire;
  readonly name: string;
}

async function replica(name: string, { isCut = false } = {}): Promise<Replica> {
  const wire = open.use(await wireTo(api.access));
  if (isCut) wire.cut();
  const directory = open.use(new ControlPlaneDirectory({}));
  const kubeconfig = join(directory.path, "kubeconfig");
  writeFileSync(kubeconfig, await ownKubeconfig(wire.access.port));
  const process = open.use(
    new ControlPlaneProcess(directory, {
      HEDGEROW_MANIFESTS: "",
      HEDGEROW_KUBERNETES: kubeconfig,
      HEDGEROW_POD_NAME: name,
      HEDGEROW_SIDECAR_IMAGE: "sidecar:test",
      HEDGEROW_WEBHOOK_LISTEN: "127.0.0.1:0",
      ...(host === undefined ? {} : { HEDGEROW_MESH_LISTEN: `${host}:0` }),
    }),
  );
  return { process, wire, name };
}

/** With the rights that the installation gives, and no others. */
async function ownKubeconfig(port: number): Promise<string> {
  const path = "-o=jsonpath={.clusters[0].cluster.certificate-authority-data}";
  const ca = await api.kubectl(["config", "view", "--raw", "--flatten", path]);
  const bearer = await api.kubectl(["-n", "hedgerow-system", "create", "token", "control-plane", "--duration", "1h"]);
  return JSON.stringify({
    clusters: [{ name: "c", cluster: { server: `https://127.0.0.1:${port}`, "certificate-authority-data": ca } }],
    users: [{ name: "u", user: { token: bearer.trim() } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  });
}

async function publishEndpoint({ process, name }: Replica): Promise<void> {
  const port = Number((await process.address("mesh")).split(":").at(-1));
  await apply({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name,
      namespace: "hedgerow-system",
      labels: { "kubernetes.io/service-name": "control-plane" },
    },
    addressType: "IPv4",
    ports: [{ name: "tls-mesh", port, protocol: "TCP" }],
    endpoints: [
      {
        addresses: [host],
        conditions: { ready: true },
        targetRef: { kind: "Pod", name, namespace: "hedgerow-system" },
      },
    ],
  });
}

const readyz = async ({ process }: Replica) => {
  const answer = await fetch(`http://${await process.address("metrics")}/readyz`);
  return [answer.status, (await answer.text()).trim()];
};
const ready = (one: Replica) => eventually(`${one.name} to be ready`, async () => (await readyz(one))[0] === 200);
const token = async (name: string) => {
  const bound = ["--bound-object-kind", "Pod", "--bound-object-name", name];
  return (
    await api.kubectl(["-n", "models", "create", "token", "digits", "--audience", "hedgerow-enroll", ...bound])
  ).trim();
};
const statusOf = async (plural: string, namespace: string, name: string): Promise<string> => {
  const answer = await api.client.request(
    "GET",
    `/apis/hedgerow.dev/v1alpha1/namespaces/${namespace}/${plural}/${name}`,
  );
  return JSON.stringify(typeof answer === "object" && answer !== null && "status" in answer ? answer.status : {});
};
const leaderOf = async (): Promise<string> => {
  const path = "/apis/coordination.k8s.io/v1/namespaces/hedgerow-system/leases/control-plane";
  const answer = JSON.stringify(await api.client.request("GET", path));
  return /"holderIdentity":"([^"_]*)/.exec(answer)?.[1] ?? "";
};

test("starts while the API server is away, and is ready once all was read", { timeout: 120_000 }, async () => {
  const first = await replica("cp-0", { isCut: true });
  expect(await readyz(first)).toEqual([503, "the API server has not been read yet"]);
  expect((await first.process.admin.getVersion({})).trustDomain).toBe("");
  expect((await first.process.admin.getStatus({})).problems).toMatchObject([{ code: "source_unread" }]);
  first.wire.mend();
  await ready(first);
  // And goes on while it is away again.
  first.wire.cut();
  await expect(TestAgent.enroll(first.process, "models/web-1", await token("web-1"))).rejects.toMatchObject({
    code: status.UNAVAILABLE,
  });
  expect((await readyz(first))[0]).toBe(200);
});

test("waits for the MeshConfig, not ready; one that goes away again changes nothing", {
  timeout: 120_000,
}, async () => {
  await api.kubectl(["-n", "hedgerow-system", "delete", "meshconfig", "mesh"]);
  const first = await replica("cp-0");
  await first.process.line(({ msg }) => msg === "Waiting for a MeshConfig to name the trust domain");
  expect(await readyz(first)).toEqual([503, "no MeshConfig names the trust domain yet"]);
  await apply(meshConfig);
  await ready(first);
  await api.kubectl(["-n", "hedgerow-system", "delete", "meshconfig", "mesh"]);
  const second = await replica("cp-1");
  await ready(second);
  expect((await second.process.admin.getVersion({})).rootDigests).toEqual(
    (await first.process.admin.getVersion({})).rootDigests,
  );
});

test("a pod enrols by its token at any replica, and gets its configuration", { timeout: 120_000 }, async () => {
  const replicas = await Promise.all([replica("cp-0"), replica("cp-1")]);
  await Promise.all(replicas.map(ready));
  const roots = await Promise.all(
    replicas.map(async ({ process }) => (await process.admin.getVersion({})).rootDigests),
  );
  expect(roots[0]).toEqual(roots[1]);
  for (const { process } of replicas) {
    using agent = await TestAgent.enroll(process, "models/web-0.blue", await token("web-0.blue"));
    expect(agent.svid).toMatchObject({
      spiffeId: "spiffe://bank.example/ns/models/sa/digits",
      nodeId: "models/web-0.blue",
    });
    expect((await agent.renew(process))?.nodeId).toBe("models/web-0.blue");
    const ads = await agent.ads(process);
    ads.subscribe({ typeUrl: CLUSTER_TYPE_URL, subscribe: ["*"] });
    expect((await ads.take()).names).toEqual(expect.arrayContaining(["inbound/8080", "outbound/models/digits/80"]));
  }
  const { admin } = replicas[0].process;
  await expect(admin.createToken({ nodeId: "models/x" })).rejects.toMatchObject({ code: Code.FailedPrecondition });
});

test.skipIf(host === undefined)(
  "every replica answers for all; the leader writes what is so; when it is killed another does",
  { timeout: 180_000 },
  async () => {
    const replicas = await Promise.all([replica("cp-0"), replica("cp-1")]);
    await Promise.all(replicas.map(ready));
    await Promise.all(replicas.map(publishEndpoint));
    const [a, b] = replicas;
    const agents = [
      { agent: open.use(await TestAgent.enroll(a.process, "models/web-0.blue", await token("web-0.blue"))), at: a },
      { agent: open.use(await TestAgent.enroll(b.process, "models/web-1", await token("web-1"))), at: b },
    ];
    for (const { agent, at } of agents) {
      const ads = await agent.ads(at.process);
      ads.subscribe({ typeUrl: LISTENER_TYPE_URL, subscribe: ["*"] });
      await ads.take();
    }
    for (const { process } of replicas)
      await until("both proxies", async () => {
        const { proxies } = await process.admin.listProxies({});
        const connected = proxies.filter((proxy) => proxy.connected).map(({ nodeId }) => nodeId);
        return connected.join(" ") === "models/web-0.blue models/web-1" ? true : undefined;
      });
    // Two proxies need the policy; neither subscribes to its routes.
    await eventually("the status", async () => (await statusOf("accesspolicies", "models", "digits")).includes("/2"));
    await eventually("the other status", async () =>
      (await statusOf("meshconfigs", "hedgerow-system", "mesh")).includes('"observedGeneration":1'),
    );

    const leader = (await leaderOf()) === "cp-0" ? a : b;
    const other = leader === a ? b : a;
    await leader.process.stop("SIGKILL");
    await apply({
      apiVersion: "hedgerow.dev/v1alpha1",
      kind: "AccessPolicy",
      metadata: { name: "later", namespace: "models" },
      spec: { targetRefs: [{ kind: "Service", name: "nobody" }], allow: [] },
    });
    const startMs = performance.now();
    await eventually("the new leader's word", async () =>
      (await statusOf("accesspolicies", "models", "later")).includes("Accepted"),
    );
    expect(performance.now() - startMs).toBeLessThan(15_000);
    expect(await leaderOf()).toBe(other.name);

    // Whoever stops in order leaves the lease free, and is not ready from then on.
    expect(await other.process.stop("SIGTERM")).toBe(0);
    expect(await leaderOf()).toBe("");
  },
);

/** As `until`, for what takes longer. */
async function eventually(what: string, probe: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 5; round++)
    try {
      return void (await until(what, async () => ((await probe()) ? true : undefined)));
    } catch (error) {
      if (round === 4) throw error;
    }
}
