import { editWeights, heldBackDigits, Load, predictorClient } from "@hedgerow/e2e";
import type { Bench } from "./bench.ts";
import { onMesh } from "./bench-mesh.ts";
import { summarize } from "./quantiles.ts";

/** From a weight written to disk to the ACK of the first and the last proxy, requests flowing throughout. */
export const edit: Bench = {
  name: "edit",
  description: "a weight edited on disk → acknowledged by the first and the last proxy, requests flowing",
  run: async ({ quick, log, signal }) => {
    const edits = quick ? 5 : 20;
    return await onMesh({ progress: log }, signal, async (mesh) => {
      const [caller] = mesh.callers;
      if (caller === undefined) throw new Error("the mesh is incomplete");
      const load = new Load(predictorClient(caller.localPort), heldBackDigits(200));
      const taken = [];
      for (let count = 0; count < edits; count++) taken.push(await editWeights(mesh, [count + 1, edits + 1 - count]));
      await load.stop();
      const first = summarize(taken.map(({ firstMs }) => firstMs));
      const last = summarize(taken.map(({ lastMs }) => lastMs));
      const row = (what: string, { p50, max }: typeof first) => ({
        what,
        "median ms": p50.toFixed(0),
        "max ms": max.toFixed(0),
      });
      return {
        rows: [
          row("first proxy acknowledged", first),
          row("last proxy acknowledged", last),
          { what: `of ${load.answered} requests, failed: ${load.failures.length}`, "median ms": "", "max ms": "" },
        ],
        json: {
          edits,
          firstMs: { median: first.p50, max: first.max },
          lastMs: { median: last.p50, max: last.max },
          answered: load.answered,
          failed: load.failures.length,
        },
      };
    });
  },
};
