import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { Api, gatewayCrds, startApiServer, until } from "@hedgerow/e2e";
import type { Bench } from "../bench.ts";
import { rssOf, usageOfTree } from "../process-usage.ts";
import { summarize } from "../quantiles.ts";
import { type Started, startControlPlane } from "./control-plane.ts";
import { weightsInForce } from "./envoy-admin.ts";
import { startPodSidecar } from "./pod-sidecar.ts";
import { podOf, populate } from "./populate.ts";
import { WebhookCaller } from "./review.ts";

const trustDomain = "bank.example";
const waitMs = 120_000;
const settleMs = 5_000;
const podsPerSecond = 50;
const crds = join(import.meta.dirname, "../../../manifests/crds");
const exec = promisify(execFile);

const meshConfig = {
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "MeshConfig",
  metadata: { name: "mesh", namespace: "hedgerow-system" },
  spec: { trustDomain },
};

const routePath = "/apis/gateway.networking.k8s.io/v1/namespaces/team-0/httproutes";

const routeOf = (first: number, second: number): string => `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: svc-0, namespace: team-0}
spec:
  parentRefs: [{group: "", kind: Service, name: svc-0}]
  rules:
    - backendRefs: [{name: svc-0, port: 80, weight: ${first}}, {name: svc-1, port: 80, weight: ${second}}]
`;

/** What a replica uses on this cluster, started and stopped: the least of some runs, because the machine is shared. */
async function measureStart(directory: string, kubeconfig: string, runs: number) {
  const taken: { readonly seconds: number; readonly cpu: number; readonly rssMb: number }[] = [];
  for (let run = 0; run < runs; run++) {
    await using started = await stoppable(startControlPlane(directory, `control-plane-${run}`, kubeconfig));
    await delay(settleMs);
    const { rssBytes } = usageOfTree(started.part.pid ?? 0);
    taken.push({ seconds: started.readySeconds, cpu: started.cpuSeconds, rssMb: rssBytes / 2 ** 20 });
  }
  const least = (of: (one: (typeof taken)[number]) => number) => Math.min(...taken.map(of));
  return { seconds: least((one) => one.seconds), cpu: least((one) => one.cpu), rssMb: least((one) => one.rssMb) };
}

async function stoppable(starting: Promise<Started>): Promise<Started & AsyncDisposable> {
  const started = await starting;
  return { ...started, [Symbol.asyncDispose]: () => started.part.stop() };
}

/** A cluster's worth of objects on a real API server: what a control plane makes of them, and how soon an edit is in force. */
export const kubernetes: Bench = {
  name: "kubernetes",
  description: "5,000 pods and 1,000 services on a real API server: first snapshot, an applied weight, injection",
  run: async ({ quick, log, signal }) => {
    const size = quick ? { services: 100, podsPerService: 5 } : { services: 1_000, podsPerService: 5 };
    const directory = mkdtempSync(join(tmpdir(), "hedgerow-bench-"));
    await using _ = { [Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }) };
    log("API server");
    await using server = await startApiServer({ directory: join(directory, "cluster"), signal });
    const { kubeconfig } = server;
    const kubectl = async (...args: string[]) => (await exec("kubectl", ["--kubeconfig", kubeconfig, ...args])).stdout;
    await kubectl("apply", "--server-side", "-f", await gatewayCrds());
    await kubectl("apply", "-k", crds);
    await kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s");
    await kubectl("create", "namespace", "hedgerow-system");
    using api = new Api(kubeconfig);
    await api.call("POST", "/apis/hedgerow.dev/v1alpha1/namespaces/hedgerow-system/meshconfigs", meshConfig);

    log("control plane of an empty cluster");
    const idle = await measureStart(directory, kubeconfig, quick ? 1 : 3);
    // It would remove pods of nodes that do not exist, and make EndpointSlices of its own.
    await server.controllerManager.kill();
    await populate(api, size, log);
    log("control plane of the full cluster");
    const full = await measureStart(directory, kubeconfig, quick ? 1 : 3);

    await using controlPlane = await stoppable(startControlPlane(directory, "control-plane", kubeconfig));
    const secret = await kubectl("-n", "hedgerow-system", "get", "secret", "hedgerow-ca", "-o", "json");
    const pem = Buffer.from((JSON.parse(secret) as { data: { "ca.pem": string } }).data["ca.pem"], "base64").toString();
    const root = pem.slice(pem.indexOf("-----BEGIN CERTIFICATE-----"));
    const sidecar = await startPodSidecar({
      directory,
      kubeconfig,
      namespace: "team-0",
      pod: "svc-0-5d8f9c7b6-0",
      enroll: controlPlane.enroll,
      mesh: controlPlane.mesh,
      trustDomain,
      root,
    });
    await using __ = sidecar.part;
    await api.call("POST", routePath, {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: { name: "svc-0" },
      spec: {
        parentRefs: [{ group: "", kind: "Service", name: "svc-0" }],
        rules: [{ backendRefs: [1, 1].map((weight, index) => ({ name: `svc-${index}`, port: 80, weight })) }],
      },
    });
    const inForce = async (first: number, second: number): Promise<boolean> => {
      const weights = await weightsInForce(sidecar.adminSocket, "outbound/team-0/svc-0/80");
      return weights[0] === first && weights[1] === second;
    };
    log("a sidecar with every service");
    await until("the route in Envoy", waitMs, () => inForce(1, 1), { everyMs: 50, signal });
    const agentMb = rssOf(sidecar.part.pid ?? 0) / 2 ** 20;

    const edits = quick ? 10 : 50;
    log(`${edits} weights`);
    const patched = [];
    for (let edit = 1; edit <= edits; edit++) {
      const backendRefs = [edit, 100].map((weight, index) => ({ name: `svc-${index}`, port: 80, weight }));
      const startedAt = performance.now();
      await api.call("PATCH", `${routePath}/svc-0`, { spec: { rules: [{ backendRefs }] } });
      await until("the weights in Envoy", waitMs, () => inForce(edit, 100), { everyMs: 2, signal });
      patched.push(performance.now() - startedAt);
    }
    const applied = [];
    for (let edit = 1; edit <= edits; edit++) {
      const startedAt = performance.now();
      const child = exec("kubectl", ["--kubeconfig", kubeconfig, "apply", "-f", "-"]);
      child.child.stdin?.end(routeOf(edit, 200));
      await child;
      await until("the weights in Envoy", waitMs, () => inForce(edit, 200), { everyMs: 2, signal });
      applied.push(performance.now() - startedAt);
    }

    log(`injection at ${podsPerSecond} pods a second`);
    using webhook = new WebhookCaller(controlPlane.webhookPort, root);
    const count = quick ? 100 : 1_000;
    const injecting = [];
    const startedAt = performance.now();
    for (let index = 0; index < count; index++) {
      await delay(Math.max(0, startedAt + (index * 1000) / podsPerSecond - performance.now()), undefined, { signal });
      injecting.push(webhook.inject("team-0", podOf(index, 0, false)));
    }
    const injected = summarize(await Promise.all(injecting));
    const [patch, apply] = [summarize(patched), summarize(applied)];
    const row = (what: string, figure: string, aim: string) => ({ what, figure, aim });
    return {
      rows: [
        row(`first snapshot of ${size.services * size.podsPerService} pods`, `${full.seconds.toFixed(2)} s`, ""),
        row("  CPU, of which an empty cluster", `${full.cpu.toFixed(2)} s, ${idle.cpu.toFixed(2)} s`, "≤ 2 s"),
        row(
          "  RSS above idle, idle",
          `${(full.rssMb - idle.rssMb).toFixed(0)} MB, ${idle.rssMb.toFixed(0)} MB`,
          "≤ 150 MB",
        ),
        row(
          "weight written → in Envoy, median, p99",
          `${patch.p50.toFixed(0)} ms, ${patch.p99.toFixed(0)} ms`,
          "≤ 250 ms",
        ),
        row("kubectl apply → in Envoy, median, p99", `${apply.p50.toFixed(0)} ms, ${apply.p99.toFixed(0)} ms`, ""),
        row("injection, median, p99", `${injected.p50.toFixed(1)} ms, ${injected.p99.toFixed(1)} ms`, "≤ 50 ms"),
        row("agent of a pod, RSS", `${agentMb.toFixed(0)} MB`, "≤ 90 MB"),
      ],
      json: {
        pods: size.services * size.podsPerService,
        services: size.services,
        firstSnapshotSeconds: full.seconds,
        cpuSeconds: full.cpu,
        idleCpuSeconds: idle.cpu,
        rssMbAboveIdle: full.rssMb - idle.rssMb,
        applyToEffectiveMs: { median: patch.p50, p99: patch.p99 },
        kubectlApplyToEffectiveMs: { median: apply.p50, p99: apply.p99 },
        webhookP99Ms: injected.p99,
        agentRssMb: agentMb,
      },
    };
  },
};
