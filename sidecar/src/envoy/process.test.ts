import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { envoyPath } from "../../../scripts/envoy-path.js";
import { until } from "../../test/until.ts";
import { EnvoyAdmin } from "./admin.ts";
import { buildBootstrap } from "./bootstrap.ts";
import { EnvoyProcess } from "./process.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-envoy-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function prepare(nodeId: string, binary: string = envoyPath()): { envoy: EnvoyProcess; admin: EnvoyAdmin } {
  const adminSocket = join(directory, "envoy-admin.sock");
  const admin = new EnvoyAdmin(adminSocket);
  const bootstrap = buildBootstrap({
    nodeId,
    agentSocket: join(directory, "agent.sock"),
    adminSocket,
    inspectSocket: join(directory, "inspect.sock"),
  });
  const envoy = new EnvoyProcess({
    binary,
    concurrency: 1,
    bootstrap,
    runDirectory: directory,
    log: "files",
    admin,
    onEnded: () => undefined,
    random: () => 0,
    logger: pino({ level: "silent" }),
  });
  return { envoy, admin };
}

test("Envoy accepts the bootstrap", () => {
  const path = join(directory, "bootstrap.json");
  writeFileSync(
    path,
    buildBootstrap({
      nodeId: "shop/caller",
      agentSocket: "/run/a.sock",
      adminSocket: "/run/b.sock",
      inspectSocket: "/run/c.sock",
    }),
  );
  const told = execFileSync(envoyPath(), ["--mode", "validate", "-c", path], { stdio: ["ignore", "pipe", "pipe"] });
  expect(told.toString()).toContain("OK");
});

describe("the Envoy of a run directory", () => {
  test("is adopted when it was started the same, replaced when it was not", async () => {
    const first = prepare("shop/caller");
    const firstLeaves = new AbortController();
    const firstRun = first.envoy.run(firstLeaves.signal);
    await until("Envoy runs", () => first.envoy.pid !== undefined);
    const { pid } = first.envoy;
    // So that files which its configuration names without a directory lie there.
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe(realpathSync(directory));
    firstLeaves.abort();
    await firstRun;

    const second = prepare("shop/caller");
    const secondLeaves = new AbortController();
    const secondRun = second.envoy.run(secondLeaves.signal);
    await until("adopted", () => second.envoy.pid !== undefined);
    expect(second.envoy.pid).toBe(pid);
    secondLeaves.abort();
    await secondRun;

    const third = prepare("shop/renamed");
    const thirdLeaves = new AbortController();
    const thirdRun = third.envoy.run(thirdLeaves.signal);
    await until("replaced", () => third.envoy.pid !== undefined);
    expect(third.envoy.pid).not.toBe(pid);
    expect(readdirSync(directory).filter((name) => name.startsWith("envoy-bootstrap-"))).toHaveLength(1);
    const pidFile = join(directory, "envoy.pid");
    await until("its process id is recorded", () => existsSync(pidFile));
    expect(readFileSync(pidFile, "utf8")).toBe(`${third.envoy.pid}\n`);
    thirdLeaves.abort();
    await thirdRun;
    await third.envoy.stop();
    expect(readdirSync(directory)).not.toContain("envoy.pid");
  });

  test("is not adopted once it drains: its listeners are about to close", async () => {
    const first = prepare("shop/caller");
    const firstLeaves = new AbortController();
    const firstRun = first.envoy.run(firstLeaves.signal);
    await until("Envoy runs", async () => first.envoy.pid !== undefined && existsSync(join(directory, "envoy.pid")));
    await until("Envoy answers", async () => {
      try {
        await first.admin.activeListeners();
        return true;
      } catch {
        return false;
      }
    });
    const { pid } = first.envoy;
    firstLeaves.abort();
    await firstRun;
    await first.envoy.drain(0);

    const second = prepare("shop/caller");
    const secondLeaves = new AbortController();
    const secondRun = second.envoy.run(secondLeaves.signal);
    await until("another Envoy", () => second.envoy.pid !== undefined);
    expect(second.envoy.pid).not.toBe(pid);
    secondLeaves.abort();
    await secondRun;
    await second.envoy.stop();
  });

  test("is none of the processes that merely have its bootstrap open, nor are they ended", async () => {
    const { envoy } = prepare("shop/caller");
    const leaves = new AbortController();
    const run = envoy.run(leaves.signal);
    await until("Envoy runs", () => existsSync(join(directory, "envoy.pid")));
    leaves.abort();
    await run;
    await envoy.stop();
    const bootstrap = readdirSync(directory).find((name) => name.startsWith("envoy-bootstrap-")) ?? "";
    const reader = spawn("tail", ["-f", join(directory, bootstrap)], { stdio: "ignore" });
    await once(reader, "spawn");

    const second = prepare("shop/caller");
    const secondLeaves = new AbortController();
    const secondRun = second.envoy.run(secondLeaves.signal);
    await until("Envoy runs", () => second.envoy.pid !== undefined);
    expect(second.envoy.pid).not.toBe(reader.pid);
    secondLeaves.abort();
    await secondRun;
    await second.envoy.stop();
    expect(reader.exitCode ?? reader.signalCode).toBeNull();
    reader.kill();
  });

  test("is started once its files can be written", async () => {
    const { envoy } = prepare("shop/caller");
    mkdirSync(join(directory, "envoy.log"));
    const leaves = new AbortController();
    const run = envoy.run(leaves.signal);
    await until("an attempt", () => envoy.restarts >= 1);
    expect(envoy.pid).toBeUndefined();
    rmSync(join(directory, "envoy.log"), { recursive: true });
    await until("Envoy runs", () => envoy.pid !== undefined);
    leaves.abort();
    await run;
    await envoy.stop();
  });

  test("that cannot be started is tried again", async () => {
    const { envoy } = prepare("shop/caller", join(directory, "absent"));
    const leaves = new AbortController();
    const run = envoy.run(leaves.signal);
    await until("two attempts", () => envoy.restarts >= 2);
    expect(envoy.pid).toBeUndefined();
    leaves.abort();
    await run;
  });
});
