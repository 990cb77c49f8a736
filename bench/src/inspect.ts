import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { auditFile, heldBackDigits, type Mesh, PIXELS, until } from "@hedgerow/e2e";
import { DECISION_HEADER } from "@hedgerow/proto";
import { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";
import type { Bench } from "./bench.ts";
import { onMesh } from "./bench-mesh.ts";
import { cpuMsOf } from "./process-usage.ts";
import { summarize } from "./quantiles.ts";

const callers = 4;
const auditFileName = "audit.yaml";

interface Kind {
  readonly model: string;
  readonly input: string;
  readonly shape: readonly bigint[];
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly perTurn: number;
}

const kinds = {
  tabular: { model: "tabular", input: "features", shape: [1n, 30n], bytes: new Uint8Array(120), perTurn: 400 },
  digits: {
    model: "digits",
    input: "image",
    shape: [1n, BigInt(PIXELS)],
    bytes: Uint8Array.from(heldBackDigits(1)[0]?.bytes ?? []),
    perTurn: 400,
  },
  image602k: {
    model: "image",
    input: "image",
    shape: [1n, 3n, 224n, 224n],
    bytes: new Uint8Array(602_112),
    perTurn: 80,
  },
} as const satisfies Readonly<Record<string, Kind>>;

type Ask = (kind: Kind) => Promise<string | undefined>;

/** Asks for one prediction over gRPC; resolves to its decision id, if it was recorded. */
function asker(port: number): Ask {
  const client = createClient(GRPCInferenceService, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));
  return async ({ model, input, shape, bytes }) => {
    let decision: string | undefined;
    await client.modelInfer(
      { modelName: model, inputs: [{ name: input, datatype: "FP32", shape: [...shape] }], rawInputContents: [bytes] },
      {
        timeoutMs: 20_000,
        onHeader: (headers) => {
          decision = headers.get(DECISION_HEADER) ?? undefined;
        },
      },
    );
    return decision;
  };
}

/** Writes or removes the AuditPolicy, and awaits that it took effect. */
async function inspecting(mesh: Mesh, ask: Ask, isOn: boolean): Promise<void> {
  if (isOn) mesh.writeManifest(auditFileName, auditFile("{durability: {fsync: batch, every: 5ms}}"));
  else rmSync(join(mesh.directory, "manifests", auditFileName), { force: true });
  await until("the AuditPolicy took effect", 30_000, async () => ((await ask(kinds.tabular)) !== undefined) === isOn);
}

class Measured {
  readonly latenciesMs: number[] = [];
  agentMicros = 0;
  envoyMicros = 0;

  async turn(ask: Ask, kind: Kind, agent: number, envoy: number): Promise<void> {
    const before = { agent: 1_000 * cpuMsOf(agent), envoy: 1_000 * cpuMsOf(envoy) };
    let left = kind.perTurn;
    const caller = async (): Promise<void> => {
      while (left-- > 0) {
        const started = performance.now();
        await ask(kind);
        this.latenciesMs.push(performance.now() - started);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
    this.agentMicros += 1_000 * cpuMsOf(agent) - before.agent;
    this.envoyMicros += 1_000 * cpuMsOf(envoy) - before.envoy;
  }
}

/** Predictions with inspection and without, in turns on one mesh: what an AuditPolicy costs the agent, Envoy and the caller. */
export const inspect: Bench = {
  name: "inspect",
  description: "a prediction inspected and recorded, and not: the agent's CPU, added latency, Envoy's CPU",
  run: async ({ quick, log, signal }) =>
    await onMesh(
      {
        predictors: new Map([["digits-v1-a", "1"]]),
        callers: ["reader"],
        weights: [1, 0],
        moreModels: join(import.meta.dirname, "../models"),
        progress: log,
      },
      signal,
      async (mesh) => {
        const [predictor] = mesh.predictors;
        const [caller] = mesh.callers;
        const agent = predictor?.agent.pid;
        if (predictor === undefined || caller === undefined || agent === undefined)
          throw new Error("the mesh is incomplete");
        const envoy = Number(readFileSync(join(mesh.directory, "run", predictor.name, "envoy.pid"), "utf8"));
        const ask = asker(caller.localPort);
        const figures = Object.keys(kinds).map((name) => ({
          name: name as keyof typeof kinds,
          off: new Measured(),
          on: new Measured(),
        }));
        // Both ways and every kind once for nobody: connections are opened, code is compiled.
        for (const isOn of [true, false]) {
          await inspecting(mesh, ask, isOn);
          for (const kind of Object.values(kinds)) await new Measured().turn(ask, kind, agent, envoy);
        }
        const turns = quick ? 3 : 15;
        for (let count = 1; count <= turns; count++) {
          for (const way of ["off", "on"] as const) {
            await inspecting(mesh, ask, way === "on");
            for (const figure of figures) await figure[way].turn(ask, kinds[figure.name], agent, envoy);
          }
          log(`${count} of ${turns} turns`);
        }
        const json = Object.fromEntries(
          figures.map(({ name, off, on }) => {
            const [without, inspected] = [summarize(off.latenciesMs), summarize(on.latenciesMs)];
            return [
              name,
              {
                // What the agent does anyway (metrics, its control plane) is in both.
                agentCpuMicros: on.agentMicros / inspected.count - off.agentMicros / without.count,
                addedP50Ms: inspected.p50 - without.p50,
                addedP99Ms: inspected.p99 - without.p99,
                envoyCpuRatio: on.envoyMicros / inspected.count / (off.envoyMicros / without.count),
              },
            ] as const;
          }),
        );
        const rows = Object.entries(json).map(([name, figure]) => ({
          request: name,
          "agent CPU µs": figure.agentCpuMicros,
          "added p50 ms": figure.addedP50Ms,
          "added p99 ms": figure.addedP99Ms,
          "Envoy CPU, inspected ÷ not": figure.envoyCpuRatio,
        }));
        return { rows, json };
      },
    ),
};
