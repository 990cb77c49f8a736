// npm run demo:kubernetes: a real cluster of one node on this machine, Hedgerow on it, and digits through it. Ends with status
// 0 when every line is ✓.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Node } from "../cluster/node.ts";
import { Screen } from "../demo/screen.ts";
import type { ClusterMesh } from "../kubernetes/cluster-mesh.ts";
import { startNodeMesh } from "../kubernetes/node-mesh.ts";
import { showCanary, showInjection, showJob, showOutage, showRefusal, showScale } from "./steps.ts";

const help = `npm run demo:kubernetes [-- --keep]

Brings up a real Kubernetes of one node on this machine, without Docker, installs Hedgerow, labels two namespaces, and shows
what that does. As root; needs what npm run test:kubernetes names.

  --keep   leave it running, and say what to try; Ctrl-C stops it
`;

class Interrupted extends Error {
  override name = "Interrupted";
}

async function show(screen: Screen, node: Node, mesh: ClusterMesh): Promise<void> {
  await showInjection(screen, mesh);
  await showRefusal(screen, mesh);
  await showCanary(screen, mesh);
  await showJob(screen, mesh);
  await showScale(screen, mesh);
  await showOutage(screen, node, mesh);
  await mesh.settled();
  screen.say("\n$ kubectl get hedgerow,httproutes -A");
  screen.say((await mesh.kubectl(["get", "hedgerow,httproutes", "-A"])).trimEnd());
}

async function demo(args: readonly string[]): Promise<number> {
  const keep = args.includes("--keep");
  if (args.some((arg) => arg !== "--keep")) {
    console.log(help);
    return args.some((arg) => arg === "--help" || arg === "-h") ? 0 : 2;
  }
  const screen = new Screen();
  const stopping = new AbortController();
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  interrupted.catch(() => {});
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      if (stopping.signal.aborted) process.exit(130);
      stopping.abort(new Interrupted());
      reject(new Interrupted());
    });
  screen.say("Hedgerow on Kubernetes: one node, a control plane of two replicas, 3 predictors and 2 callers in pods");
  const startedAt = performance.now();
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-demo-"));
  let cluster: Node | undefined;
  try {
    const { node, mesh } = await startNodeMesh({
      directory,
      callers: ["reader", "batch-job"],
      progress: (step) => screen.progress(step),
      signal: stopping.signal,
    });
    cluster = node;
    screen.progress(`ready after ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
    screen.say("");
    await Promise.race([show(screen, node, mesh), interrupted]);
    if (!keep) return screen.failed === 0 ? 0 : 1;
    screen.say(
      `\nTo look around:  export KUBECONFIG=${node.kubeconfig}\n                 kubectl get hedgerow -A -o wide; npx hedgerow check\nCtrl-C stops it.`,
    );
    return await interrupted;
  } catch (error) {
    if (stopping.signal.aborted) return keep ? 0 : 130;
    throw error;
  } finally {
    if (cluster !== undefined) {
      screen.progress("stopping");
      await cluster[Symbol.asyncDispose]();
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

process.exitCode = await demo(process.argv.slice(2));
