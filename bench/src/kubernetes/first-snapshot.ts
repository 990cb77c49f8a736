import { setTimeout as delay } from "node:timers/promises";
import { usageOfTree } from "../process-usage.ts";
import { startControlPlane } from "./control-plane.ts";

/** What was needed to read the lists is garbage by then, and collected as far as V8 finds worth while. */
const settleMs = 5_000;

export interface FirstSnapshot {
  /** From the start of Node until the control plane is ready. */
  readonly seconds: number;
  /** Of the process until then, its start included. */
  readonly cpuSeconds: number;
  /** At rest, 5 s later. */
  readonly rssMb: number;
}

/** A replica on this cluster, started and stopped: the least of some runs, because the machine is shared. */
export async function firstSnapshot(
  { directory, kubeconfig, runs }: { readonly directory: string; readonly kubeconfig: string; readonly runs: number },
  signal: AbortSignal,
): Promise<FirstSnapshot> {
  const taken: FirstSnapshot[] = [];
  for (let run = 0; run < runs; run++) {
    await using started = await startControlPlane(directory, `control-plane-${run}`, kubeconfig);
    await delay(settleMs, undefined, { signal });
    const { rssBytes } = usageOfTree(started.part.pid ?? 0);
    taken.push({ seconds: started.readySeconds, cpuSeconds: started.cpuSeconds, rssMb: rssBytes / 2 ** 20 });
  }
  const least = (figure: keyof FirstSnapshot) => Math.min(...taken.map((one) => one[figure]));
  return { seconds: least("seconds"), cpuSeconds: least("cpuSeconds"), rssMb: least("rssMb") };
}
