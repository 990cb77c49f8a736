// kill -9 at random moments: no request was answered without its record. HEDGEROW_KILLS says how often, 8 by default.
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { hedgerow } from "../src/mesh/command.ts";
import { classify, predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const kills = Number(process.env["HEDGEROW_KILLS"] || 8);
const mesh = withMesh({
  predictors: new Map([["digits-v1-a", "1"]]),
  weights: [1, 0],
  callers: ["reader", "batch-job"],
  audit: "{durability: {fsync: each}}",
});

test(
  `no request was answered without its record, through ${kills} kills of the agent`,
  async () => {
    const { mesh: running, reader, predictor, digits } = mesh();
    const client = predictorClient(reader.localPort);
    const answered: string[] = [];
    let stopped = false;
    const callers = Array.from({ length: 4 }, async (_, caller) => {
      for (let turn = caller; !stopped; turn++) {
        const digit = digits[turn % digits.length];
        if (digit === undefined) throw new Error("no digits");
        // Refused while the agent is gone, as the policy says.
        const decision = await classify(client, digit, 5_000).then(
          (answer) => answer.decision ?? "answered without a decision",
          () => undefined,
        );
        if (decision === undefined) await delay(5);
        else answered.push(decision);
      }
    });
    for (let kill = 0; kill < kills; kill++) {
      const before = answered.length;
      await until("answers", 30_000, () => answered.length > before + 3);
      await delay(Math.random() * 50);
      await predictor.agent.stop("SIGKILL");
      predictor.agent.start();
    }
    const before = answered.length;
    await until("answers", 30_000, () => answered.length > before + 3);
    stopped = true;
    await Promise.all(callers);
    const records = running.records(predictor.name);
    const recorded = new Set(records.flatMap((one) => (one.type === "decision" ? [one.id] : [])));
    expect(answered.filter((id) => !recorded.has(id))).toEqual([]);
    expect(answered.length).toBeGreaterThan(kills * 3);
    // Each decision has one outcome, `unknown` where nobody knows.
    const outcomes = records.flatMap((one) => (one.type === "outcome" ? [one.id] : []));
    expect(outcomes.length).toBe(new Set(outcomes).size);
    const { status, stdout } = await hedgerow(
      "audit",
      "verify",
      "--ledger",
      `${running.directory}/run`,
      "--socket",
      `${running.directory}/state/admin.sock`,
    );
    expect(stdout).toContain("✓");
    expect(status).toBe(0);
  },
  60_000 + kills * 10_000,
);

test("an agent that starts while the control plane is away inspects as before", async () => {
  const { mesh: running, reader, predictor, digit } = mesh();
  await running.controlPlane.stop();
  await predictor.agent.stop("SIGKILL");
  predictor.agent.start();
  const client = predictorClient(reader.localPort);
  const decision = await until("an answer", 30_000, () =>
    classify(client, digit, 5_000).then(
      (answer) => answer.decision,
      () => undefined,
    ),
  );
  expect(running.records(predictor.name).some((one) => one.type === "decision" && one.id === decision)).toBe(true);
  running.controlPlane.start();
  await running.ready();
}, 120_000);
