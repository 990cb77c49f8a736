import { classify, type Digit, heldBackDigits, type PredictorClient, predictorClient } from "@hedgerow/e2e";
import type { Bench } from "./bench.ts";
import { onMesh } from "./bench-mesh.ts";
import { usageOfTree } from "./process-usage.ts";
import { summarize } from "./quantiles.ts";

const requestsPerTurn = 200;
const concurrencies = [1, 16];

interface Measured {
  readonly latenciesMs: number[];
  cpuMs: number;
}

/** One turn: each request's latency, and the CPU time that the measured processes took over all of them. */
async function turn(
  client: PredictorClient,
  digits: readonly Digit[],
  concurrency: number,
  pids: readonly number[],
  into: Measured,
): Promise<void> {
  const cpu = (): number => pids.reduce((sum, pid) => sum + usageOfTree(pid).cpuMs, 0);
  const before = cpu();
  const pending = digits.values();
  const caller = async (): Promise<void> => {
    for (const digit of pending) {
      const started = performance.now();
      await classify(client, digit);
      into.latenciesMs.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, caller));
  into.cpuMs += cpu() - before;
}

/** A prediction direct and through two sidecars, in turns, so that a noisy machine is noisy for both. */
export const path: Bench = {
  name: "path",
  description: "a prediction direct and through two sidecars: latency, and CPU of all but the client",
  run: async ({ quick, log, signal }) => {
    const turns = quick ? 4 : 25;
    return await onMesh(
      {
        predictors: new Map([["digits-v1-a", "1"]]),
        callers: ["reader"],
        weights: [1, 0],
        progress: log,
      },
      signal,
      async (mesh) => {
        const [predictor] = mesh.predictors;
        const [caller] = mesh.callers;
        if (predictor === undefined || caller === undefined) throw new Error("the mesh is incomplete");
        const running = (pid: number | undefined): number[] => (pid === undefined ? [] : [pid]);
        const served = running(predictor.app.pid);
        const ways = {
          direct: { client: predictorClient(predictor.appPort), pids: served },
          mesh: {
            client: predictorClient(caller.localPort),
            pids: [...served, ...mesh.agents.flatMap(({ pid }) => running(pid))],
          },
        };
        const digits = heldBackDigits(requestsPerTurn);
        const rows = [];
        const json: Record<string, unknown> = {};
        for (const concurrency of concurrencies) {
          const figures: Record<keyof typeof ways, Measured> = {
            direct: { latenciesMs: [], cpuMs: 0 },
            mesh: { latenciesMs: [], cpuMs: 0 },
          };
          for (const { client } of Object.values(ways))
            await turn(client, digits, concurrency, [], { latenciesMs: [], cpuMs: 0 });
          for (let count = 0; count < turns; count++) {
            await turn(ways.direct.client, digits, concurrency, ways.direct.pids, figures.direct);
            await turn(ways.mesh.client, digits, concurrency, ways.mesh.pids, figures.mesh);
          }
          log(`${turns * requestsPerTurn} requests each way, ${concurrency} at a time`);
          const summary = (measured: Measured) => {
            const { p50, p99, count } = summarize(measured.latenciesMs);
            return { p50Ms: p50, p99Ms: p99, cpuMicros: (measured.cpuMs * 1_000) / count };
          };
          const direct = summary(figures.direct);
          const meshed = summary(figures.mesh);
          const ratio = {
            p50: meshed.p50Ms / direct.p50Ms,
            p99: meshed.p99Ms / direct.p99Ms,
            cpu: meshed.cpuMicros / direct.cpuMicros,
          };
          for (const [way, { p50Ms, p99Ms, cpuMicros }] of Object.entries({ direct, mesh: meshed }))
            rows.push({
              path: way,
              callers: concurrency,
              "p50 ms": p50Ms.toFixed(2),
              "p99 ms": p99Ms.toFixed(2),
              "CPU µs/request": cpuMicros.toFixed(0),
            });
          rows.push({
            path: "mesh ÷ direct",
            callers: concurrency,
            "p50 ms": ratio.p50.toFixed(2),
            "p99 ms": ratio.p99.toFixed(2),
            "CPU µs/request": ratio.cpu.toFixed(2),
          });
          json[`callers${concurrency}`] = { direct, mesh: meshed, ratio };
        }
        return { rows, json };
      },
    );
  },
};
