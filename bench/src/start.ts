import { setTimeout as delay } from "node:timers/promises";
import { type Mesh, type Part, until } from "@hedgerow/e2e";
import type { Bench } from "./bench.ts";
import { onMesh } from "./bench-mesh.ts";
import { usageOfTree } from "./process-usage.ts";
import { summarize } from "./quantiles.ts";

const waitMs = 60_000;
const settleMs = 3_000;

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Everything stopped and started again on the state that it left: control plane first, as an operator would. */
async function restart(
  mesh: Mesh,
  signal: AbortSignal,
): Promise<{ readonly controlPlaneMs: number; readonly meshMs: number }> {
  await mesh[Symbol.asyncDispose]();
  signal.throwIfAborted();
  const started = performance.now();
  mesh.controlPlane.start();
  for (const { app } of mesh.predictors) app.start();
  for (const agent of mesh.agents) agent.start();
  const controlPlaneMs = await timed(() => until("the control plane answers", waitMs, () => mesh.admin.getVersion({})));
  await mesh.ready(signal);
  return { controlPlaneMs, meshMs: performance.now() - started };
}

/** How long a mesh takes to be ready, from nothing and from its own state, and what its parts hold when idle. */
export const start: Bench = {
  name: "start",
  description: "cold and warm start of a mesh with one predictor and one caller, idle RSS of each part",
  run: async ({ quick, log, signal }) => {
    const startedAt = performance.now();
    return await onMesh(
      {
        predictors: new Map([["digits-v1-a", "1"]]),
        callers: ["reader"],
        progress: log,
      },
      signal,
      async (mesh) => {
        const coldMs = performance.now() - startedAt;

        const warm = [];
        for (let run = 0; run < (quick ? 1 : 5); run++) {
          warm.push(await restart(mesh, signal));
          log(`warm start ${run + 1}`);
        }
        // Not a condition but the measurement itself: what is held once nothing happens.
        await delay(settleMs, undefined, { signal });
        const [predictor] = mesh.predictors;
        const [caller] = mesh.callers;
        if (predictor === undefined || caller === undefined) throw new Error("the mesh is incomplete");
        const parts: readonly (readonly [string, Part])[] = [
          ["control plane", mesh.controlPlane],
          ["predictor", predictor.app],
          ["server's agent and Envoy", predictor.agent],
          ["caller's agent and Envoy", caller.agent],
        ];
        const idle = parts.map(([name, { pid }]) => ({
          name,
          rssMb: pid === undefined ? Number.NaN : usageOfTree(pid).rssBytes / 2 ** 20,
        }));
        const warmMs = summarize(warm.map(({ meshMs }) => meshMs)).p50;
        const controlPlaneMs = summarize(warm.map(({ controlPlaneMs: ms }) => ms)).p50;
        return {
          rows: [
            { what: "cold start, until every sidecar is ready", ms: coldMs.toFixed(0), "idle RSS MB": "" },
            { what: "warm start, until every sidecar is ready", ms: warmMs.toFixed(0), "idle RSS MB": "" },
            { what: "warm start, until the control plane answers", ms: controlPlaneMs.toFixed(0), "idle RSS MB": "" },
            ...idle.map(({ name, rssMb }) => ({ what: name, ms: "", "idle RSS MB": rssMb.toFixed(0) })),
          ],
          json: {
            coldMs,
            warmMs,
            controlPlaneWarmMs: controlPlaneMs,
            idleRssMb: Object.fromEntries(idle.map(({ name, rssMb }) => [name, rssMb])),
          },
        };
      },
    );
  },
};
