import { join } from "node:path";
import { freePort, Part, until } from "@hedgerow/e2e";
import { usageOfTree } from "../process-usage.ts";

const startMs = 120_000;

/** Stops it when it is disposed of. */
export interface Started extends AsyncDisposable {
  readonly part: Part;
  readonly enroll: string;
  readonly mesh: string;
  readonly webhookPort: number;
  /** From its start until it is ready: it has translated the whole cluster once. */
  readonly readySeconds: number;
  /** Of the process until then. */
  readonly cpuSeconds: number;
}

/** A control plane of a cluster, as a process of this machine. */
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
  await using starting = new AsyncDisposableStack();
  starting.use(part);
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
  starting.move();
  const { cpuMs } = usageOfTree(part.pid ?? 0);
  return {
    part,
    enroll: `127.0.0.1:${enroll}`,
    mesh: `127.0.0.1:${mesh}`,
    webhookPort,
    readySeconds,
    cpuSeconds: cpuMs / 1000,
    [Symbol.asyncDispose]: () => part.stop(),
  };
}
