import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { startApiServer, type TestApiServer, wireTo } from "../../test/api-server.ts";
import { until } from "../../test/until.ts";
import type { MeshPod } from "../cluster/state.ts";
import { KubernetesClient } from "./client.ts";
import { PodAttestor } from "./token-review.ts";

let api: TestApiServer;
let view: Map<string, MeshPod>;
let asked: string[];
beforeAll(async () => {
  api = await startApiServer();
  await api.kubectl(["create", "namespace", "models"]);
  await api.kubectl(["-n", "models", "create", "serviceaccount", "digits"]);
  await api.kubectl(
    ["create", "-f", "-"],
    JSON.stringify({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "n1", labels: { "topology.kubernetes.io/region": "me-central-1" } },
    }),
  );
}, 120_000);
afterAll(() => api[Symbol.asyncDispose](), 60_000);
beforeEach(() => {
  view = new Map();
  asked = [];
});

const client: Pick<KubernetesClient, "request"> = {
  request(method, path, settings) {
    asked.push(`${method} ${path.split("/").at(-1)}`);
    return api.client.request(method, path, settings);
  },
};
const attestor = (through = client) =>
  new PodAttestor({ client: through, pod: (nodeId) => view.get(nodeId), now: Date.now });

async function pod(name: string, changes: { labels?: object; nodeName?: string } = {}): Promise<string> {
  const created = await api.kubectl(
    ["-n", "models", "create", "-o", "jsonpath={.metadata.uid}", "-f", "-"],
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, labels: changes.labels ?? { "hedgerow.dev/mesh": "true" } },
      spec: {
        serviceAccountName: "digits",
        nodeName: "nodeName" in changes ? changes.nodeName : "n1",
        containers: [{ name: "app", image: "app" }],
      },
    }),
  );
  return created;
}
const remove = (name: string) => api.kubectl(["-n", "models", "delete", "pod", name, "--force", "--grace-period=0"]);
async function token(name: string | undefined, audience = "hedgerow-enroll"): Promise<string> {
  const bound = name === undefined ? [] : ["--bound-object-kind", "Pod", "--bound-object-name", name];
  return (await api.kubectl(["-n", "models", "create", "token", "digits", "--audience", audience, ...bound])).trim();
}

test("a pod's token is worth the pod, its account and its node's region", async () => {
  await pod("web-0.blue");
  expect(await attestor().attest(await token("web-0.blue"))).toEqual({
    kind: "attested",
    identity: { nodeId: "models/web-0.blue", serviceAccount: "digits", region: "me-central-1" },
  });
  expect(asked).toEqual(["POST tokenreviews", "GET web-0.blue", "GET n1"]);
});

test("a pod that the view has costs one question; one that the view has otherwise is looked at", async () => {
  const uid = await pod("known");
  const seen = { uid, serviceAccount: "digits", nodeName: "n1", region: "here" } as MeshPod;
  view.set("models/known", seen);
  expect(await attestor().attest(await token("known"))).toMatchObject({ identity: { region: "here" } });
  expect(asked).toEqual(["POST tokenreviews"]);
  view.set("models/known", { ...seen, uid: "another" });
  expect(await attestor().attest(await token("known"))).toMatchObject({ identity: { region: "me-central-1" } });
});

test("what is nobody's, or for somebody else, is refused; nonsense without asking", async () => {
  await pod("other");
  const good = await token("other");
  const [head, claims, signature = ""] = good.split(".");
  for (const forged of [
    `${head}.${claims}.${signature.replace(/^./, (c) => (c === "A" ? "B" : "A"))}`,
    `${head}.${claims}.`,
  ])
    expect(await attestor().attest(forged)).toMatchObject({ kind: "refused", cause: /refuses/ });
  asked = [];
  for (const hopeless of ["", "x.y.z", await token("other", "https://kubernetes.default.svc"), await token(undefined)])
    expect(await attestor().attest(hopeless)).toMatchObject({ kind: "refused" });
  expect(asked).toEqual([]);
});

test("a pod that is gone, without a sidecar, not on a node, or finished is nobody", async () => {
  await pod("short");
  const short = await token("short");
  await remove("short");
  expect(await attestor().attest(short)).toMatchObject({ kind: "refused" });
  await pod("short");
  // The same name, another pod.
  expect(await attestor().attest(short)).toMatchObject({ kind: "refused" });

  await pod("plain", { labels: {} });
  expect(await attestor().attest(await token("plain"))).toMatchObject({ kind: "gone", details: /no sidecar/ });
  await api.kubectl(
    ["-n", "models", "create", "-f", "-"],
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "waiting", labels: { "hedgerow.dev/mesh": "true" } },
      spec: { serviceAccountName: "digits", containers: [{ name: "app", image: "app" }] },
    }),
  );
  expect(await attestor().attest(await token("waiting"))).toMatchObject({ kind: "gone", details: /not on a node/ });
  await pod("done");
  const done = await token("done");
  await api.client.request("PATCH", "/api/v1/namespaces/models/pods/done/status", {
    body: { status: { phase: "Succeeded" } },
    contentType: "application/merge-patch+json",
  });
  expect(await attestor().attest(done)).toMatchObject({ kind: "gone", details: /finished/ });
});

test("while the API server can't be asked nobody is refused for good; a burst waits its turn", async () => {
  await pod("burst");
  const good = await token("burst");
  await using wire = await wireTo(api.access);
  using through = new KubernetesClient(wire.access, { logger: pino({ enabled: false }) });
  const attest = attestor(through);
  const burst = await Promise.all(Array.from({ length: 100 }, () => attest.attest(good)));
  expect(burst.every(({ kind }) => kind === "attested")).toBe(true);
  wire.cut();
  expect(await attest.attest(good)).toMatchObject({ kind: "unavailable" });
  wire.mend();
  await until("an answer", async () => ((await attest.attest(good)).kind === "attested" ? true : undefined));
});
