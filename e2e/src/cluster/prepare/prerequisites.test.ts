import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { report } from "./prerequisites.ts";

test("a machine without anything is told all at once, before anything is done", () => {
  const cache = mkdtempSync(join(tmpdir(), "hedgerow-prerequisites-"));
  onTestFinished(() => rmSync(cache, { recursive: true, force: true }));
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "main.ts")], {
    encoding: "utf8",
    env: { PATH: cache, XDG_CACHE_HOME: cache },
  });
  expect(status).toBe(1);
  for (const what of [
    "containerd-shim-runc-v2",
    "runc",
    "conntrack",
    "busybox",
    "nft",
    "openssl",
    "kubectl",
    "Go 1.26",
  ])
    expect(stderr).toContain(what);
  expect(stderr).toMatch(/apt-get install --no-install-recommends busybox-static conntrack containerd .*util-linux/);
  expect(readdirSync(cache)).toEqual([]);
});

test("what no package brings is not in the command", () => {
  const text = report([{ what: "kubectl", otherwise: "see there" }]);
  expect(text).toContain("  - kubectl: see there");
  expect(text).not.toContain("apt-get");
});
