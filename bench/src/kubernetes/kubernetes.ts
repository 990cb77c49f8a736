import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "../bench.ts";
import { rssOf } from "../process-usage.ts";
import { meshRoot, startCluster, trustDomain } from "./cluster.ts";
import { startControlPlane } from "./control-plane.ts";
import { resultOf } from "./figures.ts";
import { firstSnapshot } from "./first-snapshot.ts";
import { injectAtRate, podsPerSecond, quietestRound } from "./injection.ts";
import { startPodSidecar } from "./pod-sidecar.ts";
import { populate } from "./populate.ts";
import { WebhookCaller } from "./review.ts";
import { Weights } from "./weights.ts";

const whole = { size: { services: 1_000, podsPerService: 5 }, runs: 3, edits: 50, injected: 1_000 };
const little = { size: { services: 100, podsPerService: 5 }, runs: 1, edits: 10, injected: 100 };

/** A cluster's worth of objects on a real API server: what a control plane makes of them, and how soon an edit is in force. */
export const kubernetes: Bench = {
  name: "kubernetes",
  description: "5,000 pods and 1,000 services on a real API server: first snapshot, an applied weight, injection",
  run: async ({ quick, log, signal }) => {
    const { size, runs, edits, injected } = quick ? little : whole;
    const directory = mkdtempSync(join(tmpdir(), "hedgerow-bench-"));
    await using _ = { [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }) };
    log("API server");
    await using cluster = await startCluster(join(directory, "cluster"), signal);
    const { kubeconfig } = cluster;

    log("control plane of an empty cluster");
    const idle = await firstSnapshot({ directory, kubeconfig, runs }, signal);
    await cluster.stopControllers();
    await populate(cluster.api, size, log);
    log("control plane of the full cluster");
    const full = await firstSnapshot({ directory, kubeconfig, runs }, signal);

    log("a sidecar with every service");
    await using controlPlane = await startControlPlane(directory, "control-plane", kubeconfig);
    const { enroll, mesh, webhookPort } = controlPlane;
    const root = await meshRoot(cluster);
    const pod = { namespace: "team-0", pod: "svc-0-5d8f9c7b6-0" };
    const sidecar = await startPodSidecar({ ...pod, directory, kubeconfig, enroll, mesh, trustDomain, root });
    await using __ = sidecar.part;
    const weights = new Weights(cluster, sidecar.adminSocket, signal);
    await weights.create();

    log(`${edits} weights, written and applied`);
    const patch = await weights.patch(edits);
    const apply = await weights.apply(edits);
    const agentRssMb = rssOf(sidecar.part.pid ?? 0) / 2 ** 20;

    log(`injection at ${podsPerSecond} pods a second`);
    using webhook = new WebhookCaller(webhookPort, root);
    const injection = await quietestRound(runs, () => injectAtRate(webhook, injected, signal));
    return resultOf({ size, idle, full, patch, apply, injection, agentRssMb });
  },
};
