import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ScriptedControlPlane } from "../test/scripted-control-plane.ts";
import { TestCa } from "../test/test-ca.ts";
import { AgentProcess, freePort } from "../test/workload.ts";

const NODE = "shop/caller";

/** An agent whose control plane is away. */
async function prepare(env: Readonly<Record<string, string>> = {}): Promise<AgentProcess> {
  const ca = new TestCa("bank.example");
  const nobody = `127.0.0.1:${await freePort()}`;
  return await AgentProcess.prepare(new ScriptedControlPlane(ca, NODE), await ca.token(NODE), {
    HEDGEROW_ENROLL: nobody,
    HEDGEROW_MESH: nobody,
    ...env,
  });
}

test("a metrics port that is taken ends the agent with status 1, and its socket goes with it", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const address = other.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await using agent = await prepare({ HEDGEROW_METRICS_LISTEN: `127.0.0.1:${port}` });
  agent.start();
  expect(await agent.exited).toBe("status 1");
  expect(agent.log()).toContain("EADDRINUSE");
  expect(existsSync(join(agent.run, "agent.sock"))).toBe(false);
  other.close();
});

test.each<[string, (run: string) => void, string]>([
  [
    "a symbolic link",
    (run) => {
      mkdirSync(`${run}-elsewhere`);
      symlinkSync(`${run}-elsewhere`, run);
    },
    "is no directory",
  ],
  ["a file", (run) => writeFileSync(run, ""), "make run directory"],
  [
    "a directory in which others may have left something",
    (run) => {
      mkdirSync(run);
      symlinkSync("/dev/null", join(run, "envoy-access.log"));
      chmodSync(run, 0o777);
    },
    "others may write",
  ],
])("%s is no run directory, and stays as it is", async (_, place, words) => {
  await using agent = await prepare();
  rmSync(agent.run, { recursive: true });
  place(agent.run);
  const before = statSync(agent.run);
  agent.start();
  expect(await agent.exited).toBe("status 1");
  expect(agent.log()).toContain(words);
  expect(agent.log()).toContain("run_directory_unusable");
  expect(statSync(agent.run).mode).toBe(before.mode);
});
