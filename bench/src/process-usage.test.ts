import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import { usageOfTree } from "./process-usage.ts";

const burn = (ms: number) =>
  `const until = process.cpuUsage().user + ${ms} * 1000; while (process.cpuUsage().user < until);`;

test("a tree's usage holds that of children, living and ended", async () => {
  const living = `const kept = Buffer.alloc(64 << 20, 1); ${burn(200)} process.send("ready"); process.on("disconnect", () => process.exit(kept.length ? 0 : 1));`;
  const parent = spawn(
    process.execPath,
    [
      "-e",
      `const { spawn, spawnSync } = require("node:child_process");
spawnSync(process.execPath, ["-e", ${JSON.stringify(burn(200))}]);
spawn(process.execPath, ["-e", ${JSON.stringify(living)}], { stdio: ["ignore", 2, 2, "ipc"] })
  .on("message", () => console.log("ready"));`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    await once(parent.stdout, "data");
    const { cpuMs, rssBytes, processes } = usageOfTree(parent.pid ?? 0);
    expect(processes).toBe(2);
    expect(cpuMs).toBeGreaterThanOrEqual(400);
    expect(cpuMs).toBeLessThan(5000);
    expect(rssBytes).toBeGreaterThan(64 << 20);
    expect(rssBytes).toBeLessThan(1 << 30);
  } finally {
    // Its child ends when the channel between them closes.
    parent.kill();
    await once(parent, "exit");
  }
  expect(usageOfTree(parent.pid ?? 0)).toEqual({ cpuMs: 0, rssBytes: 0, processes: 0 });
});
