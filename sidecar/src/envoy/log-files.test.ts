import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { LogFiles } from "./log-files.ts";

test("a file over its bound is kept once and emptied under its writer, who loses no line and notices nothing", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-log-"));
  const path = join(directory, "envoy.log");
  const writer = openSync(path, "a");
  const files = new LogFiles([path], pino({ level: "silent" }), 100);
  writeSync(writer, "x".repeat(100));
  await files.check();
  expect(readFileSync(path, "utf8")).toBe("x".repeat(100));
  writeSync(writer, "y");
  await files.check();
  expect(readFileSync(path, "utf8")).toBe("");
  expect(readFileSync(`${path}.1`, "utf8")).toBe(`${"x".repeat(100)}y`);
  writeSync(writer, "z");
  expect(readFileSync(path, "utf8")).toBe("z");
  closeSync(writer);
  rmSync(directory, { recursive: true });
});
