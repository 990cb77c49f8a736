import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SpentTokens } from "./spent-tokens.ts";

let dir: string;
let nowMs: number;
const open = (maxTokens?: number) => SpentTokens.open(dir, () => nowMs, maxTokens);
const content = () => readFileSync(join(dir, "spent-tokens"), "utf8");

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-spent-"));
  nowMs = 1_000_000;
});
afterEach(() => rmSync(dir, { recursive: true }));

describe("spent tokens", () => {
  test("of 20 concurrent uses exactly one wins", async () => {
    await using spent = await open();
    const results = await Promise.all(Array.from({ length: 20 }, () => spent.spend("one", 2_000)));
    expect(results.filter((result) => result === "spent")).toHaveLength(1);
    expect(results.filter((result) => result === "already")).toHaveLength(19);
  });

  test("are on disk when spend returns, as a crash right then would show", async () => {
    await using spent = await open();
    await Promise.all(Array.from({ length: 100 }, (_, index) => spent.spend(`t${index}`, 2_000)));
    expect(content().split("\n")).toHaveLength(101);
    await using again = await open();
    expect(await again.spend("t57", 2_000)).toBe("already");
    expect(await again.spend("t100", 2_000)).toBe("spent");
  });

  test("are forgotten ten minutes after they expire, not before", async () => {
    {
      await using spent = await open();
      await spent.spend("short", 1_001);
      await spent.spend("long", 2_000);
    }
    nowMs = 1_600_999;
    await (await open())[Symbol.asyncDispose]();
    expect(content()).toBe("short 1001\nlong 2000\n");
    nowMs = 1_601_000;
    await (await open())[Symbol.asyncDispose]();
    expect(content()).toBe("long 2000\n");
  });

  test("are bounded: when full no more are spent until one expires", async () => {
    await using spent = await open(2);
    await spent.spend("a", 1_001);
    await spent.spend("b", 2_000);
    expect(await spent.spend("c", 2_000)).toBe("full");
    nowMs = 1_601_000;
    expect(await spent.spend("c", 2_000)).toBe("spent");
  });

  test("leave a file that stays small while short-lived tokens come and go", async () => {
    await using spent = await open();
    for (let round = 0; round < 30; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => spent.spend(`r${round}-${index}`, nowMs / 1000 + 1)));
      nowMs += 601_000;
    }
    expect(content().split("\n").length).toBeLessThan(1_300);
    await using again = await open();
    expect(await again.spend("r28-99", nowMs / 1000 + 1)).toBe("spent");
  });

  test("half a line at the end is what a crash left: the rest counts, and the next line is whole", async () => {
    await (await open())[Symbol.asyncDispose]();
    appendFileSync(join(dir, "spent-tokens"), "whole 2000\nhal");
    {
      await using spent = await open();
      expect(await spent.spend("whole", 2_000)).toBe("already");
      expect(await spent.spend("half", 2_000)).toBe("spent");
    }
    expect(content()).toBe("whole 2000\nhalf 2000\n");
  });

  test("anything else in the file is refused, and the file stays", async () => {
    const text = "whole 2000\n???\nother 2000\n";
    writeFileSync(join(dir, "spent-tokens"), text, { mode: 0o600 });
    await expect(open()).rejects.toMatchObject({
      code: "SPENT_TOKENS_CORRUPT",
      message: expect.stringContaining(":2 "),
    });
    expect(content()).toBe(text);
  });

  test("a file that others may open is refused", async () => {
    await (await open())[Symbol.asyncDispose]();
    chmodSync(join(dir, "spent-tokens"), 0o640);
    await expect(open()).rejects.toMatchObject({ code: "FILE_EXPOSED" });
  });
});
