import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { StateLock } from "./state-lock.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-lock-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a directory is one's until it is given back, however long its path", async () => {
  const state = join(dir, "x".repeat(200));
  mkdirSync(state);
  const first = await StateLock.take(state);
  await expect(StateLock.take(state)).rejects.toMatchObject({ code: "STATE_IN_USE" });
  await first[Symbol.asyncDispose]();
  await using _second = await StateLock.take(state);
  expect(readdirSync(state)).toEqual(["lock.sock"]);
});

test("what else stands in its place is named by its own path", async () => {
  writeFileSync(join(dir, "lock.sock"), "a file");
  await expect(StateLock.take(dir)).rejects.toThrow(`${join(dir, "lock.sock")} is no socket`);
});

test("a directory that is not there is an error", async () => {
  await expect(StateLock.take(join(dir, "absent"))).rejects.toMatchObject({ code: "ENOENT" });
});
