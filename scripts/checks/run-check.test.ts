import { describe, expect, test } from "vitest";
import { type Check, runCheck, runChecks } from "./run-check.ts";

const node = (script: string): Check => ({ command: process.execPath, args: ["-e", script] });
const root = import.meta.dirname;

describe("a check", () => {
  test("passes with status 0 and keeps what it printed", async () => {
    expect(await runCheck(node('console.log("a"); console.error("b")'), root)).toMatchObject({
      passed: true,
      output: "a\nb\n",
    });
  });

  test.each([
    ["ends with another status", node("process.exitCode = 3"), ""],
    ["is ended by a signal", node('process.kill(process.pid, "SIGKILL")'), "ended by SIGKILL"],
    ["is not there", { command: "no-such-command", args: [] }, "could not run no-such-command"],
  ])("fails where its command %s", async (_, check, output) => {
    expect(await runCheck(check, root)).toMatchObject({ passed: false, output: expect.stringContaining(output) });
  });
});

describe("checks", () => {
  test("all run and are reported, also after one that failed", async () => {
    const reported = new Map<string, boolean>();
    const checks = { bad: node("process.exitCode = 1"), good: node(""), last: node("") };
    const passed = await runChecks(checks, {
      root,
      width: 2,
      report: (name, result) => reported.set(name, result.passed),
    });
    expect(passed).toBe(false);
    expect(Object.fromEntries(reported)).toEqual({ bad: false, good: true, last: true });
  });
});
