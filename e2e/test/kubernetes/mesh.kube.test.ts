// The whole promise on a real node: label a namespace, and it is in the mesh. One cluster for all of it, in order.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Node } from "../../src/cluster/node.ts";
import { CommandError } from "../../src/cluster/run.ts";
import type { ClusterMesh } from "../../src/kubernetes/cluster-mesh.ts";
import { nightlyJob, route } from "../../src/kubernetes/manifests.ts";
import { startNodeMesh } from "../../src/kubernetes/node-mesh.ts";
import { until } from "../../src/mesh/until.ts";

const waitMs = 60_000;
const routesElsewhere = /^http-route-parent-refs-(missing|none|kind|kind-missing)\.yaml$/;
const invalid = join(import.meta.dirname, "../../../manifests/examples/invalid");
const directory = mkdtempSync(join(tmpdir(), "hedgerow-cluster-"));
const open = new AsyncDisposableStack();
open.defer(() => rmSync(directory, { recursive: true, force: true }));
let node: Node;
let mesh: ClusterMesh;

beforeAll(async () => {
  ({ node, mesh } = await startNodeMesh({ directory, callers: ["reader", "batch-job"] }));
  open.use(node);
}, 300_000);

afterAll(() => open.disposeAsync());

/** Requests of the reader while something happens; none may fail. */
async function expectNoneLost(work: () => Promise<void>): Promise<void> {
  await mesh.load("reader", { anew: true });
  await work();
  await until("requests after it", waitMs, async () => (await mesh.load("reader")).answered > 100, { everyMs: 100 });
  expect(await mesh.failures("reader")).toEqual([]);
}

const column = async (kind: string, name: string, path: string): Promise<string> =>
  await mesh.kubectl(["-n", "models", "get", kind, name, "-o", `jsonpath=${path}`]);

const effective = '{.status.conditions[?(@.type=="Programmed")].status}';

describe("injected pods", () => {
  test("call each other by name over mTLS, with identities from their service accounts", async () => {
    await until("requests", waitMs, async () => (await mesh.load("reader")).answered > 50);
    const inbound = await until("an inbound request in a predictor's access log", waitMs, async () => {
      const lines = await mesh.accessLog("models", "digits");
      return lines.find(({ direction, status }) => direction === "inbound" && status === 200);
    });
    expect(inbound).toMatchObject({ peer: "spiffe://bank.example/ns/apps/sa/reader", policy: "models/digits" });
    const outbound = (await mesh.accessLog("apps", "reader")).find(({ direction }) => direction === "outbound");
    expect(outbound).toMatchObject({ peer: "spiffe://bank.example/ns/models/sa/digits" });
  });

  test("are refused in plain text where the namespace is strict", async () => {
    const [pod] = await mesh.pods("models", "digits");
    await expect(fetch(`http://${pod?.address}:8080/`, { signal: AbortSignal.timeout(5_000) })).rejects.toThrow(
      "fetch failed",
    );
  });

  test("are scraped through the agent, the application's page included", async () => {
    const [pod] = await mesh.pods("models", "digits");
    const page = await (await fetch(`http://${pod?.address}:15020/metrics`)).text();
    expect(page).toContain("envoy_cluster_upstream_rq_total");
    expect(page).toContain("hedgerow_agent_ready 1");
  });

  test("who have no rule are refused, and are not told why", async () => {
    await until("a refusal", waitMs, async () => (await mesh.load("batch-job")).failed > 5);
    const report = await mesh.load("batch-job");
    expect(report.answered).toBe(0);
    expect(report.lastFailures[0]).toContain("permission_denied");
    expect(report.lastFailures.join()).not.toContain("models/digits");
  });
});

describe("kubectl apply", () => {
  test("of weights takes effect, fails no request, and shows in kubectl get", async () => {
    await expectNoneLost(async () => {
      await mesh.apply(route([0, 100]));
      await until(
        "only version 2",
        waitMs,
        async () => {
          const { versions, answered } = await mesh.load("reader", { anew: true });
          return answered > 0 && versions["1"] === undefined;
        },
        { everyMs: 300 },
      );
      await mesh.apply(route([50, 50]));
      await until("both versions", waitMs, async () => Object.keys((await mesh.load("reader")).versions).length === 2);
    });
    await until(
      "Programmed on the route",
      waitMs,
      async () =>
        (await column(
          "httproute",
          "digits",
          '{.status.parents[0].conditions[?(@.type=="hedgerow.dev/Programmed")].status}',
        )) === "True",
    );
  });

  test("of access takes effect both ways, and kubectl get says on how many proxies", async () => {
    await until("effective", waitMs, async () => (await column("accesspolicy", "digits", effective)) === "True");
    const rule = { name: "batch", from: [{ serviceAccount: "apps/batch-job" }] };
    const patch = ["-n", "models", "patch", "accesspolicy", "digits", "--type", "json", "-p"];
    await mesh.kubectl([...patch, JSON.stringify([{ op: "add", path: "/spec/allow/-", value: rule }])]);
    await until("batch-job is answered", waitMs, async () => (await mesh.load("batch-job")).answered > 0);
    await until("effective", waitMs, async () => {
      const [generation, observed, is] = await Promise.all([
        column("accesspolicy", "digits", "{.metadata.generation}"),
        column("accesspolicy", "digits", "{.status.observedGeneration}"),
        column("accesspolicy", "digits", effective),
      ]);
      return generation === observed && is === "True";
    });
    expect(await mesh.kubectl(["-n", "models", "get", "accesspolicy", "digits"])).toMatch(/yes +3\/3/);
    await mesh.kubectl([...patch, JSON.stringify([{ op: "remove", path: "/spec/allow/1" }])]);
    await until(
      "batch-job is refused again",
      waitMs,
      async () => {
        const { answered, failed } = await mesh.load("batch-job", { anew: true });
        return answered === 0 && failed > 0;
      },
      { everyMs: 300 },
    );
  });
});

test("what the API server's schemas let through, the webhook refuses in the words of hedgerow validate", async () => {
  const readme = readFileSync(join(invalid, "README.md"), "utf8");
  // None of the webhook's business: Services, of which the mesh takes what Kubernetes means, and routes without a Service.
  const files = [...readme.matchAll(/^- ((?:access-policy|http-route|mesh-config|workload)-.*)$/gm)].flatMap(
    ([, file]) => file ?? [],
  );
  const refused = files.flatMap((file) => {
    const [, message] = /# refused: (.*)$/m.exec(readFileSync(join(invalid, file), "utf8")) ?? [];
    return message === undefined || routesElsewhere.test(file) ? [] : [{ file, message }];
  });
  expect(refused.length).toBeGreaterThan(20);
  const namespaces = refused.flatMap(
    ({ file }) => /namespace: ([a-z-]+)/.exec(readFileSync(join(invalid, file), "utf8"))?.[1] ?? [],
  );
  const there = (await mesh.kubectl(["get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}"])).split(" ");
  for (const name of new Set(namespaces).difference(new Set(there))) await mesh.kubectl(["create", "namespace", name]);
  const create = ["create", "--dry-run=server", ...refused.flatMap(({ file }) => ["-f", join(invalid, file)])];
  const said = await mesh.kubectl(create).then(
    () => "",
    (error: unknown) => (error instanceof CommandError ? error.stderr : String(error)),
  );
  const answers = said.split(/^(?=Error from server)/m);
  for (const { file, message } of refused)
    expect(
      answers.find((answer) => answer.includes(`${file}"`)),
      file,
    ).toContain(message);
});

test("a Job with a sidecar completes", async () => {
  await mesh.apply(nightlyJob("nightly-1"));
  await mesh.kubectl(["-n", "apps", "wait", "--for=condition=complete", "job/nightly-1", "--timeout=120s"]);
  const logs = await mesh.kubectl(["-n", "apps", "logs", "job/nightly-1", "-c", "app"]);
  expect(logs).toMatch(/\d+ of 100 right/);
});

describe("under load", () => {
  test("a predictor's pod is deleted: no request is lost", async () => {
    await expectNoneLost(async () => {
      const [victim] = await mesh.pods("models", "digits");
      await mesh.kubectl(["-n", "models", "delete", "pod", victim?.name ?? "", "--wait=true"]);
      await mesh.rollout("models", "digits-v1");
      await mesh.rollout("models", "digits-v2");
    });
  });

  test("an agent in a pod crashes: Envoy goes on, no request is lost", async () => {
    await expectNoneLost(async () => {
      const [pod] = await mesh.pods("models", "digits");
      const inProxy = (...command: string[]) =>
        mesh.kubectl(["-n", "models", "exec", pod?.name ?? "", "-c", "hedgerow-proxy", "--", ...command]);
      await inProxy("/opt/hedgerow/node_modules/.bin/node", "-e", killAgent);
      await until("the agent again", waitMs, async () => (await fetch(`http://${pod?.address}:15020/readyz`)).ok);
    });
  });

  test("scaled 1 → 5 → 1: no request is lost", async () => {
    await mesh.apply(route([100, 0]));
    await mesh.kubectl(["-n", "models", "scale", "deployment/digits-v1", "--replicas=1"]);
    await until("one pod", waitMs, async () => (await mesh.pods("models", "digits")).length === 2);
    await expectNoneLost(async () => {
      await mesh.kubectl(["-n", "models", "scale", "deployment/digits-v1", "--replicas=5"]);
      await mesh.rollout("models", "digits-v1");
      await mesh.kubectl(["-n", "models", "scale", "deployment/digits-v1", "--replicas=1"]);
      await until(
        "one pod again",
        120_000,
        async () => {
          const text = await mesh.kubectl(["-n", "models", "get", "pods", "-l", "version=v1", "-o", "name"]);
          return text.trim().split("\n").length === 1;
        },
        { everyMs: 200 },
      );
    });
  }, 240_000);
});

describe("what fails around it", () => {
  test("the API server is away for a minute: nothing is lost, and an edit afterwards takes effect", async () => {
    await expectNoneLost(async () => {
      await node.apiServer.stop();
      const until60 = performance.now() + 60_000;
      await until("a minute", 70_000, () => performance.now() > until60, { everyMs: 500 });
      await node.apiServer.start();
    });
    await mesh.apply(route([0, 100]));
    await until(
      "only version 2",
      waitMs,
      async () => {
        const { versions, answered } = await mesh.load("reader", { anew: true });
        return answered > 0 && versions["1"] === undefined;
      },
      { everyMs: 300 },
    );
  }, 240_000);

  test("etcd is restarted: nothing is lost", async () => {
    await expectNoneLost(async () => {
      await node.etcd.stop();
      await node.etcd.start();
      await until("the API server again", waitMs, async () => (await mesh.kubectl(["get", "ns"])).length > 0);
    });
  }, 240_000);

  test("the leader is killed: status goes on within 15 s, with one CA throughout", async () => {
    const ca = ["-n", "hedgerow-system", "get", "secret", "hedgerow-ca", "-o", "jsonpath={.data}"];
    const before = await mesh.kubectl(ca);
    const holder = ["-n", "hedgerow-system", "get", "lease", "control-plane", "-o", "jsonpath={.spec.holderIdentity}"];
    const leader = await until("a leader", waitMs, async () => (await mesh.kubectl(holder)).split("_")[0] || undefined);
    await expectNoneLost(async () => {
      await mesh.kubectl(["-n", "hedgerow-system", "delete", "pod", leader, "--grace-period=0", "--force"]);
      const killedAt = performance.now();
      await mesh.apply(route([30, 70]));
      const generation = await column("httproute", "digits", "{.metadata.generation}");
      await until("status by the next leader", 15_000, async () => {
        const path = '{.status.parents[0].conditions[?(@.type=="hedgerow.dev/Programmed")]}';
        const condition = await column("httproute", "digits", path);
        return condition.includes('"status":"True"') && condition.includes(`"observedGeneration":${generation}`);
      });
      expect(performance.now() - killedAt).toBeLessThan(15_000);
    });
    await mesh.rollout("hedgerow-system", "control-plane");
    expect(await mesh.kubectl(ca)).toBe(before);
  }, 120_000);
});

/** Kills the agent, the node process whose command names main.ts, and leaves Envoy alone. */
const killAgent = `
for (const pid of require("fs").readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
  let command = "";
  try { command = require("fs").readFileSync("/proc/" + pid + "/cmdline", "utf8"); } catch {}
  if (command.includes("sidecar/src/" + "main.ts")) process.kill(Number(pid), "SIGKILL");
}`;
