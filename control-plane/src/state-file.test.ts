import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeLeftovers, replaceFile } from "./state-file.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-state-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a write that fails leaves nothing beside the file", async () => {
  // As on a full disk, only sooner: what is there can't be replaced.
  mkdirSync(join(dir, "ready.json"));
  await expect(replaceFile(join(dir, "ready.json"), "[]")).rejects.toMatchObject({ code: "EISDIR" });
  expect(readdirSync(dir)).toEqual(["ready.json"]);
});

test("what a process that was killed left beside its files goes, and nothing else", async () => {
  const kept = ["ca.pem", "a.tmp", "x.0123456789ab.tmp.old"];
  for (const name of [...kept, "last-good.json.0123456789ab.tmp"]) writeFileSync(join(dir, name), name);
  await removeLeftovers(dir);
  expect(readdirSync(dir).toSorted()).toEqual(kept.toSorted());
  await replaceFile(join(dir, "ca.pem"), "new");
  expect(readFileSync(join(dir, "ca.pem"), "utf8")).toBe("new");
});
