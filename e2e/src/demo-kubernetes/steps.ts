// What the demo on Kubernetes shows, a step a function; each reports one finding.
import type { Node } from "../cluster/node.ts";
import { milliseconds, type Screen, thousands } from "../demo/screen.ts";
import type { ClusterMesh } from "../kubernetes/cluster-mesh.ts";
import { nightlyJob, route } from "../kubernetes/manifests.ts";
import { until } from "../mesh/until.ts";

const waitMs = 60_000;
const reader = "reader";

export async function showInjection(screen: Screen, mesh: ClusterMesh): Promise<void> {
  await until("requests", waitMs, async () => (await mesh.load(reader)).answered > 200);
  const { answered, failed } = await mesh.load(reader);
  const inbound = await until("requests in the access log", waitMs, async () =>
    (await mesh.accessLog("models", "digits")).find((line) => line["direction"] === "inbound" && line["peer"]),
  );
  screen.check(
    failed === 0 && inbound["peer"] === "spiffe://bank.example/ns/apps/sa/reader",
    "injected pods",
    `${thousands(answered)} calls of http://digits.models over mTLS, ${failed} failed; caller ${String(inbound["peer"])}`,
  );
}

export async function showRefusal(screen: Screen, mesh: ClusterMesh): Promise<void> {
  await until("refusals", waitMs, async () => (await mesh.load("batch-job")).failed > 5);
  const { answered, lastFailures } = await mesh.load("batch-job");
  const said = lastFailures[0]?.replace(/^\S+ \w+: /, "") ?? "";
  screen.check(
    answered === 0 && said.includes("permission_denied"),
    "batch-job",
    `refused by AccessPolicy models/digits; told only “${said}”`,
  );
}

export async function showCanary(screen: Screen, mesh: ClusterMesh): Promise<void> {
  await mesh.load(reader, { anew: true });
  const startedAt = performance.now();
  await mesh.apply(route([0, 100]));
  await until("only version 2", waitMs, async () => {
    const { versions, answered } = await mesh.load(reader, { anew: true });
    return answered > 0 && versions["1"] === undefined;
  });
  const tookMs = performance.now() - startedAt;
  await mesh.apply(route([50, 50]));
  await mesh.load(reader, { anew: true });
  await until("requests", waitMs, async () => (await mesh.load(reader)).answered > 500);
  const { versions, answered, failed } = await mesh.load(reader);
  const v2 = versions["2"] ?? 0;
  screen.check(
    failed === 0 && Math.abs(v2 / answered - 0.5) < 0.1,
    "kubectl apply",
    `every call on v2 ${milliseconds(tookMs)} after the command began; at 50/50: v1 ${versions["1"] ?? 0}, v2 ${v2}; ${failed} failed`,
  );
}

export async function showJob(screen: Screen, mesh: ClusterMesh): Promise<void> {
  await mesh.apply(nightlyJob("nightly"));
  await mesh.kubectl(["-n", "apps", "wait", "--for=condition=complete", "job/nightly", "--timeout=120s"]);
  const logs = await mesh.kubectl(["-n", "apps", "logs", "job/nightly", "-c", "app"]);
  screen.check(/of 100 right/.test(logs), "a Job", `completed, its sidecar with it: ${logs.trim()}`);
}

export async function showScale(screen: Screen, mesh: ClusterMesh): Promise<void> {
  await mesh.load(reader, { anew: true });
  const scale = (replicas: number) =>
    mesh.kubectl(["-n", "models", "scale", "deployment/digits-v1", `--replicas=${replicas}`]);
  await scale(5);
  await mesh.rollout("models", "digits-v1");
  await scale(1);
  await until("one pod", 120_000, async () => {
    const names = await mesh.kubectl(["-n", "models", "get", "pods", "-l", "version=v1", "-o", "name"]);
    return names.trim().split("\n").length === 1;
  });
  const { answered, failed } = await mesh.load(reader);
  screen.check(failed === 0, "2 → 5 → 1 pods", `${thousands(answered)} calls meanwhile, ${failed} failed`);
}

export async function showOutage(screen: Screen, node: Node, mesh: ClusterMesh): Promise<void> {
  await mesh.load(reader, { anew: true });
  await node.apiServer.stop();
  await until("requests without an API server", waitMs, async () => (await mesh.load(reader)).answered > 1_000);
  await node.apiServer.start();
  const { answered, failed } = await mesh.load(reader);
  screen.check(failed === 0, "no API server", `${thousands(answered)} calls while it was away, ${failed} failed`);
}
