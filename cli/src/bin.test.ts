import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runBin } from "./testing/run-bin.ts";
import { scriptedAdmin } from "./testing/scripted-admin.ts";

const bin = fileURLToPath(new URL("../bin/hedgerow.js", import.meta.url));

describe("hedgerow, as a process", () => {
  it("shows its version", async () => {
    expect(await runBin(["--version"])).toEqual({ code: 0, stdout: "0.1.0\n", stderr: "" });
  });

  it("reads standard input and ends with what it found", async () => {
    expect(await runBin(["validate", "-"], { stdin: "kind: Worklod\n" })).toEqual({
      code: 1,
      stdout: '<stdin>:1:7: unknown kind "Worklod"; did you mean Workload?\n! 0 valid objects in 1 file, 1 problem\n',
      stderr: "",
    });
  });

  it("asks the control plane of its environment", async () => {
    await using admin = await scriptedAdmin({ listProxies: () => ({}) });
    expect(await runBin(["proxies", "-o", "yaml"], { env: { HEDGEROW_ADMIN_SOCKET: admin.socket } })).toEqual({
      code: 0,
      stdout: "proxies: []\n",
      stderr: "",
    });
  });

  it("does not mind a reader that has seen enough", async () => {
    const child = spawn(process.execPath, [bin, "--help"]);
    child.stdout.destroy();
    const [stderr, exit] = await Promise.all([text(child.stderr), once(child, "exit")]);
    expect([stderr, exit]).toEqual(["", [0, null]]);
  });
});

/** A Node that a person's shell may find: older than what the sources need. */
function findOldNode(): string | undefined {
  const directories = (process.env["PATH"] ?? "").split(":").filter((path) => !path.includes("node_modules"));
  return directories
    .map((directory) => `${directory}/node`)
    .find((node) => /^v2[0-3]\./.test(String(spawnSync(node, ["--version"]).stdout)));
}

const oldNode = findOldNode();

describe.skipIf(oldNode === undefined)("hedgerow under an older Node (skipped where PATH has none)", () => {
  const node = oldNode ?? "";

  it("hands over to Node 24: arguments, streams and exit code", () => {
    const { status, stdout } = spawnSync(node, [bin, "validate", "-"], { input: "kind: X\n", encoding: "utf8" });
    expect([status, stdout]).toEqual([1, expect.stringMatching(/^<stdin>:1:7: unknown kind "X"/)]);
  });

  it("passes a signal on, and ends as its child did", async () => {
    const asked = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    await using admin = await scriptedAdmin({
      getStatus: async (_request, { signal }) => {
        asked.resolve();
        await once(signal, "abort");
        gone.resolve();
        return {};
      },
    });
    const child = spawn(node, [bin, "status", "--socket", admin.socket], { stdio: "ignore" });
    const exit = once(child, "exit");
    await asked.promise;
    child.kill("SIGTERM");
    expect(await exit).toEqual([143, null]);
    await gone.promise;
  });
});
