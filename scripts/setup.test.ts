import { spawnSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { plantTree } from "./testing/planted-tree.ts";

/** A checkout in which nothing was ever set up, on a machine that has Node and the `programs` named. */
function setUpWith(programs: readonly string[], variables: Readonly<Record<string, string>>) {
  using tree = plantTree({
    "package.json": '{ "type": "module" }',
    "package-lock.json": "{}",
    ".npmrc": "",
    "buf.yaml": "",
    "buf.gen.yaml": "",
    "proto/hedgerow/a.proto": "",
    "proto/inference/a.proto": "",
    "proto/grpc/a.proto": "",
    "scripts/envoy.requirements.txt": "",
    "scripts/setup.js": readFileSync(join(import.meta.dirname, "setup.js"), "utf8"),
    "scripts/lock.js": readFileSync(join(import.meta.dirname, "lock.js"), "utf8"),
    "bin/empty": "",
  });
  for (const program of programs) {
    const { stdout } = spawnSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" });
    symlinkSync(stdout.trim(), join(tree.root, "bin", program));
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(tree.root, "scripts/setup.js")], {
    env: { PATH: join(tree.root, "bin"), ...variables },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("set-up", () => {
  test("names every missing prerequisite at once, with what to do", () => {
    const { status, stdout, stderr } = setUpWith([], {});
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/flock: install .*\n.*npm: install .*\n.*Python 3: install .* or set ENVOY_BIN/);
  });

  test("needs no Python where ENVOY_BIN names an Envoy", () => {
    const { stderr } = setUpWith(["flock"], { ENVOY_BIN: process.execPath });
    expect(stderr).toMatch(/lacks:\n {2}- npm: [^\n]*\n$/);
  });

  test("says where ENVOY_BIN leads nowhere", () => {
    const { status, stderr } = setUpWith(["flock"], { ENVOY_BIN: "/nowhere/envoy" });
    expect(status).toBe(1);
    expect(stderr).toBe("setup: there is no file /nowhere/envoy, which ENVOY_BIN names\n");
  });
});
