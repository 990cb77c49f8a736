import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { editWeights } from "../src/mesh/edit.ts";
import { Load } from "../src/mesh/load.ts";
import { classify, predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const mesh = withMesh();

/** The Envoy that runs from a workload's directory. */
function envoyPid(directory: string, name: string): number | undefined {
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      if (program?.includes("envoy") && args.some((arg) => arg.includes(`${directory}/run/${name}/`)))
        return Number(pid);
    } catch {
      // It ended between the two reads.
    }
  }
  return undefined;
}

describe("an outage", () => {
  test("of the control plane fails no request, and a killed Envoy comes back without it", async () => {
    const { mesh: running, reader, digits, digit, predictor } = mesh();
    const client = predictorClient(reader.localPort);
    const load = new Load(client, digits);
    await until("some answers", 10_000, () => load.answered > 50);
    await running.controlPlane.stop("SIGKILL");
    const before = load.answered;
    await until("answers without a control plane", 10_000, () => load.answered > before + 200);
    await load.stop();
    expect(load.failures).toEqual([]);

    const killed = [reader, predictor].map(({ name }) => {
      const pid = envoyPid(running.directory, name);
      if (pid === undefined) throw new Error(`no Envoy of ${name}`);
      process.kill(pid, "SIGKILL");
      return { name, pid };
    });
    for (const { name, pid } of killed)
      await until(`another Envoy of ${name}`, 20_000, () => {
        const now = envoyPid(running.directory, name);
        return now !== undefined && now !== pid;
      });
    await until("an answer through the new Envoys", 20_000, () => classify(client, digit, 1_000));
    const again = new Load(client, digits);
    await until("answers through the new Envoys", 10_000, () => again.answered > 100);

    running.controlPlane.start();
    await running.ready();
    await editWeights(running, [0, 1]);
    await until("the new weights in force", 10_000, async () => (await classify(client, digit)).version === "2");
    await editWeights(running, [90, 10]);
    await again.stop();
    expect(again.failures).toEqual([]);
  }, 120_000);

  test("of an agent fails no request; it comes back with its old token and the same Envoy", async () => {
    const { mesh: running, reader, predictor, digits } = mesh();
    const load = new Load(predictorClient(reader.localPort), digits);
    await until("some answers", 10_000, () => load.answered > 50);
    for (const { name, agent } of [reader, predictor]) {
      const envoy = envoyPid(running.directory, name);
      await agent.stop("SIGKILL");
      agent.start();
      await running.ready();
      expect(envoyPid(running.directory, name)).toBe(envoy);
    }
    await editWeights(running, [50, 50]);
    await load.stop();
    expect(load.failures).toEqual([]);
  }, 120_000);

  test("of an agent by SIGTERM fails no request, even where the control plane cannot tell anybody", async () => {
    const { mesh: running, reader, digits } = mesh();
    // Two predictors of version 1, so that there is always another one.
    await editWeights(running, [1, 0]);
    const load = new Load(predictorClient(reader.localPort), digits);
    await until("some answers", 10_000, () => load.answered > 50);
    const { pid } = running.controlPlane;
    if (pid === undefined) throw new Error("no control plane");
    const pair = running.predictors.filter(({ version }) => version === "1");
    for (const { agent } of pair) {
      process.kill(pid, "SIGSTOP");
      await agent.stop();
      process.kill(pid, "SIGCONT");
      agent.start();
      await running.ready();
    }
    for (const { agent } of pair) {
      await agent.stop();
      agent.start();
      await running.ready();
    }
    await load.stop();
    expect(load.failures).toEqual([]);
  }, 120_000);
});
