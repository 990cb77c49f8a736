// Install, roll the control plane to another build, take namespaces out of the mesh and uninstall: requests flow throughout.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildImages } from "../../src/cluster/images.ts";
import type { Node } from "../../src/cluster/node.ts";
import type { ClusterMesh } from "../../src/kubernetes/cluster-mesh.ts";
import { startNodeMesh } from "../../src/kubernetes/node-mesh.ts";
import { until } from "../../src/mesh/until.ts";

const waitMs = 60_000;
const directory = mkdtempSync(join(tmpdir(), "hedgerow-cluster-"));
const open = new AsyncDisposableStack();
open.defer(() => rmSync(directory, { recursive: true, force: true }));
const overlay = join(import.meta.dirname, "../../../manifests/overlays/local");
let node: Node;
let mesh: ClusterMesh;

beforeAll(async () => {
  ({ node, mesh } = await startNodeMesh({ directory, callers: ["reader"] }));
  open.use(node);
  await until("requests", waitMs, async () => (await mesh.load("reader")).answered > 100);
}, 300_000);

afterAll(() => open.disposeAsync());

async function expectNoneLost(): Promise<void> {
  const { answered } = await mesh.load("reader");
  await until("requests after it", waitMs, async () => (await mesh.load("reader")).answered > answered + 100);
  expect(await mesh.failures("reader")).toEqual([]);
}

test("the control plane is rolled to another build: no request is lost, every proxy comes over", async () => {
  await mesh.load("reader", { anew: true });
  const packageJson = "/opt/hedgerow/control-plane/package.json";
  const version = {
    name: "@hedgerow/control-plane",
    version: "0.1.1",
    type: "module",
    exports: { ".": "./src/index.ts" },
  };
  await node.load(
    await buildImages(["control-plane"], { tag: "next", texts: { [packageJson]: JSON.stringify(version) } }),
  );
  const image = "control-plane=hedgerow.dev/control-plane:next";
  await mesh.kubectl(["-n", "hedgerow-system", "set", "image", "deployment/control-plane", image]);
  await mesh.rollout("hedgerow-system", "control-plane");
  await until("every proxy on the new build", waitMs, async () => {
    const column = ["-o", "jsonpath={.status.effective} {.status.proxies.summary}"];
    return (await mesh.kubectl(["-n", "models", "get", "accesspolicy", "digits", ...column])) === "yes 3/3";
  });
  await expectNoneLost();
}, 240_000);

test("uninstalled as the guide says: no request is lost, and nothing is left", async () => {
  await mesh.load("reader", { anew: true });
  const open = JSON.stringify({ spec: { access: { default: "allow" }, mtls: { mode: "permissive" } } });
  await mesh.kubectl(["-n", "hedgerow-system", "patch", "meshconfig", "mesh", "--type", "merge", "-p", open]);
  await until("an open mesh", waitMs, async () => {
    const columns = "{.metadata.generation} {.status.observedGeneration} {.status.effective}";
    const is = ["-n", "hedgerow-system", "get", "meshconfig", "mesh", "-o", `jsonpath=${columns}`];
    const [generation, observed, effective] = (await mesh.kubectl(is)).split(" ");
    return generation === observed && effective === "yes";
  });
  await mesh.kubectl(["delete", "accesspolicies", "--all", "--all-namespaces"]);
  const labels = ["hedgerow.dev/injection-", "hedgerow.dev/revision-", "hedgerow.dev/mtls-"];
  await mesh.kubectl(["label", "namespace", "--all", ...labels]);
  // The callers stay where they are: it is their requests that are counted.
  for (const name of ["digits-v1", "digits-v2"]) {
    await mesh.kubectl(["-n", "models", "rollout", "restart", `deployment/${name}`]);
    await mesh.rollout("models", name);
  }
  await expectNoneLost();
  await mesh.kubectl(["delete", "-k", overlay, "--wait=true", "--timeout=120s"]);
  await expectNoneLost();
  const everything =
    "crds,clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations,namespaces";
  const left = (await mesh.kubectl(["get", everything, "-o", "name"]))
    .split("\n")
    .filter((name) => name.includes("hedgerow"));
  expect(left).toEqual([]);

  // The mesh is gone, and callers come without a sidecar when they are restarted.
  await mesh.kubectl(["-n", "apps", "rollout", "restart", "deployment/reader"]);
  await mesh.rollout("apps", "reader");
  const [pod] = await until("one caller", waitMs, async () => {
    const pods = await mesh.pods("apps", "reader");
    return pods.length === 1 && pods;
  });
  const containers = ["-o", "jsonpath={.spec.containers[*].name} {.spec.initContainers[*].name}"];
  expect((await mesh.kubectl(["-n", "apps", "get", "pod", pod?.name ?? "", ...containers])).trim()).toBe("app");
}, 300_000);
