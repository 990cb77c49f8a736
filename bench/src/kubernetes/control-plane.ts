import { join } from "node:path";
import { freePort, Part, until } from "@hedgerow/e2e";
import { usageOfTree } from "../process-usage.ts";

const startMs = 120_000;

export interface Started {
  readonly part: Part;
  readonly enroll: string;
  readonly mesh: string;
  readonly webhookPort: number;
  /** From its start until it is ready: it has translated the whole cluster once. */
  readonly readySeconds: number;
  readonly cpuSeconds: number;
  readonly rssMb: number;
}

/** A control plane of a cluster, as a process of this machine. `settleMs` before its memory is read. */
export async function startControlPlane(directory: string, name: string, kubeconfig: string): Promise<Started> {
  const [enroll, mesh, metrics, webhookPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const env = {
    HEDGEROW_KUBERNETES: kubeconfig,
    HEDGEROW_STATE: join(directory, name),
    HEDGEROW_ENROLL_LISTEN: `127.0.0.1:${enroll}`,
    HEDGEROW_MESH_LISTEN: `127.0.0.1:${mesh}`,
    HEDGEROW_METRICS_LISTEN: `127.0.0.1:${metrics}`,
    HEDGEROW_WEBHOOK_LISTEN: `127.0.0.1:${webhookPort}`,
    HEDGEROW_POD_NAME: name,
    HEDGEROW_SIDECAR_IMAGE: "hedgerow.dev/sidecar:dev",
  };
  const part = new Part(name, "control-plane/src/main.ts", env, join(directory, `${name}.log`));
  const startedAt = performance.now();
  part.start();
  await until(
    `${name} is ready`,
    startMs,
    async () => {
      if (!part.running) return true;
      return (await fetch(`http://127.0.0.1:${metrics}/readyz`)).ok;
    },
    { everyMs: 10 },
  );
  if (!part.running) throw new Error(`${name} ended:\n${part.lastWords()}`);
  const readySeconds = (performance.now() - startedAt) / 1000;
  const { cpuMs, rssBytes } = usageOfTree(part.pid ?? 0);
  return {
    part,
    enroll: `127.0.0.1:${enroll}`,
    mesh: `127.0.0.1:${mesh}`,
    webhookPort,
    readySeconds,
    cpuSeconds: cpuMs / 1000,
    rssMb: rssBytes / 2 ** 20,
  };
}
