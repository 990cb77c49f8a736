import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

test("Ctrl-C in the middle of a benchmark: its mesh and its directory go, status 130", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-bench-test-"));
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), "start", "--quick"], {
    env: { ...process.env, TMPDIR: directory },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  try {
    await once(child.stderr, "data");
    expect(readdirSync(directory).filter((name) => name.startsWith("hedgerow-bench-"))).toHaveLength(1);
    child.kill("SIGINT");
    expect(await exited).toEqual([130, null]);
    expect(readdirSync(directory).filter((name) => name.startsWith("hedgerow-bench-"))).toEqual([]);
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
});
