// The source against a real API server, which is killed, restarted and made to forget.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startApiServer, type TestApiServer } from "../../../../scripts/testing/api-server.js";
import { wireTo } from "../../../test/api-server.ts";
import { until } from "../../../test/until.ts";
import { readAccess } from "../../kubernetes/access.ts";
import { KubernetesClient } from "../../kubernetes/client.ts";
import type { SourceView } from "../../last-good/source-view.ts";
import { type KubernetesSource, openKubernetesSource } from "./kubernetes-source.ts";

/** What was logged. */
const log: { readonly msg: string; readonly status?: number; readonly resource?: string }[] = [];
const logger = pino({ level: "debug" }, { write: (line: string) => void log.push(JSON.parse(line)) });
let api: TestApiServer;
let client: KubernetesClient;

beforeAll(async () => {
  api = await startApiServer();
  client = new KubernetesClient(await readAccess(api.kubeconfig), { logger });
}, 120_000);
afterAll(async () => {
  client[Symbol.dispose]();
  await api[Symbol.asyncDispose]();
}, 60_000);

/** A source, every view that it gave, and a way to wait for one. */
class Followed implements AsyncDisposable {
  readonly views: SourceView[] = [];
  #waiting: (() => void)[] = [];
  #source: KubernetesSource | undefined;

  static async open(through = client): Promise<Followed> {
    const followed = new Followed();
    const onChange = (view: SourceView): void => followed.#take(view);
    followed.#source = await openKubernetesSource({ client: through, logger, onChange });
    return followed;
  }

  get source(): KubernetesSource {
    if (this.#source === undefined) throw new Error("not open");
    return this.#source;
  }

  get view(): SourceView {
    return this.source.view();
  }

  /** The first view for which it holds. */
  async until(condition: (view: SourceView) => boolean): Promise<SourceView> {
    while (!condition(this.view)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.view;
  }

  #take(view: SourceView): void {
    this.views.push(view);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
  }
}

async function kubectl(args: readonly string[], stdin?: string): Promise<void> {
  const { code, stderr } = await api.kubectl(args, stdin);
  if (code !== 0) throw new Error(stderr);
}
const apply = (...items: readonly unknown[]): Promise<void> =>
  kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));

const mesh = { "hedgerow.dev/mesh": "true" };
const pod = (name: string, labels: object = mesh): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "models", labels: { app: "digits", ...labels } },
  spec: {
    nodeName: "node-1",
    containers: [{ name: "app", image: "app", ports: [{ name: "grpc", containerPort: 8080 }] }],
    initContainers: [
      { name: "hedgerow-proxy", image: "proxy", restartPolicy: "Always", ports: [{ containerPort: 15_020 }] },
    ],
  },
});
const policy = (name: string, caller: string): object => ({
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "AccessPolicy",
  metadata: { name, namespace: "models" },
  spec: {
    targetRefs: [{ kind: "Service", name: "digits" }],
    allow: [{ name: "all", from: [{ serviceAccount: `models/${caller}` }] }],
  },
});
const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "digits", namespace: "models" },
  spec: { ports: [{ name: "grpc", port: 80, targetPort: 8080 }] },
};
const slice = (addresses: readonly string[]): object => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: { name: "digits-1", namespace: "models", labels: { "kubernetes.io/service-name": "digits" } },
  addressType: "IPv4",
  ports: [{ name: "grpc", port: 8080, protocol: "TCP" }],
  endpoints: addresses.map((address) => ({
    addresses: [address],
    conditions: { ready: true },
    targetRef: { kind: "Pod", name: "digits-0", namespace: "models" },
  })),
});
const node = (region: string): object => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1", labels: { "topology.kubernetes.io/region": region } },
});
const namespace = (mtls: string): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "models", labels: { "hedgerow.dev/mtls": mtls } },
});

const addressesIn = (view: SourceView): readonly string[] | undefined =>
  view.cluster?.services.get("Service/models/digits")?.ports[0]?.endpoints.map(({ address }) => address);
const hasPolicy = (name: string) => (view: SourceView) =>
  view.objects.some(({ file }) => file === `AccessPolicy/models/${name}`);

describe("an API server", () => {
  test("is followed before our kinds exist, and they are found when they come", async () => {
    await using followed = await Followed.open();
    expect([...followed.source.states()].filter(([, state]) => state === "absent").map(([path]) => path)).toEqual([
      "/apis/gateway.networking.k8s.io/v1/httproutes",
      "/apis/hedgerow.dev/v1alpha1/meshconfigs",
      "/apis/hedgerow.dev/v1alpha1/workloads",
      "/apis/hedgerow.dev/v1alpha1/accesspolicies",
      "/apis/hedgerow.dev/v1alpha1/auditpolicies",
      "/apis/hedgerow.dev/v1alpha1/trafficpolicies",
    ]);
    await kubectl(["apply", "-k", join(import.meta.dirname, "../../../../manifests/crds")]);
    await kubectl(["apply", "--server-side", "-f", api.gatewayCrds]);
    await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
    await apply(namespace("strict"), policy("found", "app"));
    await followed.until(hasPolicy("found"));
  });

  test("tells of everything that is made, changed and deleted", async () => {
    await using followed = await Followed.open();
    await apply(node("east"), service, slice(["10.1.0.1"]), pod("digits-0"), pod("plain", {}));
    const status = { status: { phase: "Running", podIP: "10.1.0.1", podIPs: [{ ip: "10.1.0.1" }] } };
    await kubectl(["-n", "models", "patch", "pod", "digits-0", "--subresource=status", `-p=${JSON.stringify(status)}`]);
    const made = await followed.until(
      (view) => view.cluster?.pods.get("models/digits-0")?.address !== undefined && addressesIn(view)?.length === 1,
    );
    expect([...(made.cluster?.pods.keys() ?? [])]).toEqual(["models/digits-0"]);
    expect(made.cluster?.pods.get("models/digits-0")).toMatchObject({
      serviceAccount: "default",
      address: "10.1.0.1",
      nodeName: "node-1",
      region: "east",
      ports: [{ name: "grpc", port: 8080 }],
      terminating: false,
    });
    expect(made.cluster?.services.get("Service/models/digits")?.ports).toEqual([
      {
        port: 80,
        name: "grpc",
        protocol: "http",
        endpoints: [{ address: "10.1.0.1", port: 8080, ready: true, pod: "models/digits-0" }],
      },
    ]);
    expect(made.cluster?.namespaces.get("models")).toEqual({ name: "models", mtls: "strict" });

    await apply(namespace("permissive"), node("west"), slice(["10.1.0.1", "10.1.0.2"]));
    await followed.until(
      (view) =>
        view.cluster?.namespaces.get("models")?.mtls === "permissive" &&
        view.cluster.pods.get("models/digits-0")?.region === "west" &&
        addressesIn(view)?.length === 2,
    );

    await kubectl(["-n", "models", "delete", "--force", "--grace-period=0", "pod/digits-0", "pod/plain"]);
    await kubectl(["-n", "models", "delete", "service/digits", "endpointslice/digits-1"]);
    await kubectl(["delete", "node/node-1"]);
    await followed.until(({ cluster }) => cluster?.pods.size === 0 && !cluster.services.has("Service/models/digits"));
  });

  test("counts generations, and keeps the last good version of what it let through", async () => {
    await using followed = await Followed.open();
    await apply(policy("kept", "app"));
    const first = await followed.until(hasPolicy("kept"));
    expect(first.generations.get("AccessPolicy/models/kept")).toBe(1);
    const status = { status: { conditions: [] } };
    await kubectl([
      "-n",
      "models",
      "patch",
      "accesspolicy",
      "kept",
      "--subresource=status",
      "--type=merge",
      `-p=${JSON.stringify(status)}`,
    ]);
    await apply(policy("kept", "other"));
    const second = await followed.until((view) => view.generations.get("AccessPolicy/models/kept") === 2);
    expect(second.objects.length).toBe(first.objects.length);
    // The status has made no view of its own.
    expect(new Set(followed.views.map(({ objects }) => objects))).toEqual(new Set([first.objects, second.objects]));
  });

  test("gives the routes that hang on Services", async () => {
    await using followed = await Followed.open();
    const route = (name: string, kind: string): object => ({
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name, namespace: "models" },
      spec: {
        parentRefs: [{ group: kind === "Service" ? "" : "gateway.networking.k8s.io", kind, name: "digits" }],
        rules: [{ backendRefs: [{ name: "digits", port: 80, weight: 3 }] }],
      },
    });
    await apply(route("edge", "Gateway"), route("inner", "Service"));
    const view = await followed.until(({ objects }) => objects.some(({ manifest }) => manifest.kind === "HTTPRoute"));
    expect(view.problems).toEqual([]);
    expect(view.objects.filter(({ manifest }) => manifest.kind === "HTTPRoute").map(({ file }) => file)).toEqual([
      "HTTPRoute/models/inner",
    ]);
    await kubectl(["-n", "models", "delete", "httproute", "--all"]);
    await followed.until(({ objects }) => !objects.some(({ manifest }) => manifest.kind === "HTTPRoute"));
  });

  test("that is killed and started again is followed on: nothing missed, nothing lost meanwhile", async () => {
    await using followed = await Followed.open();
    await apply(service, slice(["10.1.0.1"]), policy("before", "app"));
    await followed.until((view) => addressesIn(view)?.length === 1 && hasPolicy("before")(view));
    for (const how of ["kill", "stop"] as const) {
      const before = followed.view;
      await api.component("apiServer", how);
      await until("that it is missed", () => [...followed.source.states().values()].includes("retrying") || undefined);
      expect(followed.view).toBe(before);
      await api.component("apiServer", "start");
      await apply(slice(how === "kill" ? ["10.1.0.1", "10.1.0.2"] : ["10.1.0.3"]));
      await followed.until((view) => addressesIn(view)?.length === (how === "kill" ? 2 : 1));
    }
    expect(hasPolicy("before")(followed.view)).toBe(true);
    await kubectl(["-n", "models", "delete", "service/digits", "endpointslice/digits-1", "accesspolicy/before"]);
    await followed.until((view) => addressesIn(view) === undefined && !hasPolicy("before")(view));
  });

  test("whose etcd is killed and started again is followed on", async () => {
    await using followed = await Followed.open();
    await api.component("etcd", "kill");
    await api.component("etcd", "start");
    for (let attempt = 0; ; attempt++)
      try {
        await apply(policy("after-etcd", "app"));
        break;
      } catch (error) {
        if (attempt === 20) throw error;
      }
    expect((await followed.until(hasPolicy("after-etcd"))).problems).toEqual([]);
  });

  test("that has forgotten where we were says 410, and is listed again", async () => {
    await using wire = await wireTo(await readAccess(api.kubeconfig));
    using wired = new KubernetesClient(wire.access, { logger });
    await using followed = await Followed.open(wired);
    await apply(policy("here", "app"), policy("gone", "app"));
    await followed.until((view) => hasPolicy("here")(view) && hasPolicy("gone")(view));
    const first = (await client.request("GET", "/api/v1/configmaps", { query: { limit: "1" } })) as ListAnswer;
    wire.cut();
    await kubectl(["-n", "models", "delete", "accesspolicy/gone"]);
    for (let index = 0; index < 20; index++) await kubectl(["-n", "models", "create", "configmap", `filler-${index}`]);
    await compact();
    await api.component("apiServer", "kill");
    await api.component("apiServer", "start");
    const { continue: continueToken = "" } = first.metadata;
    await expect(
      client.request("GET", "/api/v1/configmaps", { query: { limit: "1", continue: continueToken } }),
    ).rejects.toMatchObject({ status: 410, reason: "Expired" });
    log.length = 0;
    wire.mend();
    await apply(policy("new", "app"));
    const view = await followed.until(hasPolicy("new"));
    expect([hasPolicy("here")(view), hasPolicy("gone")(view)]).toEqual([true, false]);
    const resource = "/apis/hedgerow.dev/v1alpha1/accesspolicies";
    expect(log).toContainEqual(expect.objectContaining({ msg: "Lists the resource anew", status: 410, resource }));
  });

  test("that is away at the start is waited for, and not for longer than asked", async () => {
    await api.component("apiServer", "kill");
    const stop = new AbortController();
    const given = openKubernetesSource({ client, logger, onChange: () => {}, signal: stop.signal });
    stop.abort(new Error("enough"));
    await expect(given).rejects.toThrow("enough");
    const waiting = Followed.open();
    await api.component("apiServer", "start");
    await using followed = await waiting;
    expect(followed.view.cluster?.namespaces.has("models")).toBe(true);
  });

  test("loses our kinds: what was of them is gone, and back when they are", async () => {
    await using followed = await Followed.open();
    await followed.until(hasPolicy("here"));
    await kubectl(["delete", "crd", "accesspolicies.hedgerow.dev"]);
    await followed.until((view) => !hasPolicy("here")(view));
    await kubectl(["apply", "-k", join(import.meta.dirname, "../../../../manifests/crds")]);
    await kubectl(["wait", "--for=condition=Established", "--timeout=30s", "crd", "accesspolicies.hedgerow.dev"]);
    await apply(policy("back", "app"));
    expect(hasPolicy("here")(await followed.until(hasPolicy("back")))).toBe(false);
  });
});

interface ListAnswer {
  readonly metadata: { readonly continue?: string };
}

/** Makes etcd forget all versions but the newest. */
async function compact(): Promise<void> {
  const url = await etcdUrl();
  const post = async (path: string, body: unknown): Promise<{ readonly header: { readonly revision: string } }> => {
    const answer = await fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as { readonly header: { readonly revision: string } };
  };
  const { header } = await post("/v3/kv/range", { key: Buffer.from("/").toString("base64") });
  await post("/v3/kv/compaction", { revision: header.revision, physical: true });
}

/** Where our etcd listens: its command line says so. */
async function etcdUrl(): Promise<string> {
  for (const pid of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const args = command.split("\0");
    if (!args.includes(`--data-dir=${join(api.directory, "etcd")}`)) continue;
    const url = args.find((arg) => arg.startsWith("--listen-client-urls="))?.split("=")[1];
    if (url !== undefined) return url;
  }
  throw new Error("no etcd");
}
