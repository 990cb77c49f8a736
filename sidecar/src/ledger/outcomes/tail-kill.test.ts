import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readRecords } from "@hedgerow/ledger/store";
import { expect, test } from "vitest";

const KILLS = 8;
const LINES = 400;
const program = fileURLToPath(new URL("../../../test/follow-until-killed.ts", import.meta.url));

const id = (number: number) => String(number).padStart(16, "0");
const line = (number: number) =>
  `${JSON.stringify({ time: "2026-11-24T10:00:00.000Z", port: "8080", decision: id(number), status: 200 })}\n`;

// The moments are drawn: a window of a few hundred microseconds lies between a record and the position behind it.
test("an agent that is killed at any moment loses no line and records none twice", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-tail-kill-"));
  try {
    const audit = join(directory, "audit");
    const start = async () => {
      const agent = spawn(process.execPath, [program, directory, audit], { stdio: ["ignore", "pipe", "inherit"] });
      await Promise.race([once(agent.stdout, "data"), once(agent, "exit")]);
      return agent;
    };
    let written = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const agent = await start();
      const leaves = sleep(Math.random() * 60).then(() => agent.kill("SIGKILL"));
      const exited = once(agent, "exit");
      for (let lines = 0; lines < LINES; lines += 20) {
        appendFileSync(
          join(directory, "envoy-outcomes.log"),
          Array.from({ length: 20 }, () => line(written++)).join(""),
        );
        await sleep(2);
      }
      await leaves;
      await exited;
    }
    const last = await start();
    const exited = once(last, "exit");
    last.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);

    const found: string[] = [];
    for await (const batch of readRecords(join(audit, "n.main"))) {
      for (const { record } of batch)
        if (record !== undefined && "type" in record && record.type === "outcome") found.push(record.id);
    }
    expect(found).toEqual(Array.from({ length: written }, (_, index) => id(index)));
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 120_000);
