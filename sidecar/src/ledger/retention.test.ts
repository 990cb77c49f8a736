import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger } from "@hedgerow/ledger/store";
import { pino } from "pino";
import { expect, test } from "vitest";
import { until } from "../../test/until.ts";
import { Retention, segmentsDue } from "./retention.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const settings = { class: "standard", keepMs: 10 * DAY_MS, legalHold: false };
const closed = (segment: number, day: number) => ({ segment, bytes: 1, closedAt: new Date(day * DAY_MS) });
const segments = [closed(3, 0), closed(4, 5), closed(5, 9), { segment: 6, bytes: 1, closedAt: undefined }];
const everywhere = () => true;

test.each([
  ["none before its time", settings, 9.9, everywhere, []],
  ["those whose time is over", settings, 15, everywhere, [3, 4]],
  ["never the one that is open", settings, 1_000, everywhere, [3, 4, 5]],
  ["none under a legal hold", { ...settings, legalHold: true }, 1_000, everywhere, []],
  ["none where they are kept for ever", { ...settings, keepMs: undefined }, 1_000, everywhere, []],
  ["none that a sink has not got, and none behind it", settings, 1_000, (segment: number) => segment !== 4, [3]],
])("due are: %s", (_, retention, day, everySinkHas, due) => {
  expect(segmentsDue(segments, retention, day * DAY_MS, everySinkHas)).toEqual(due);
});

test("a segment goes when a later one is closed and its time is over", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-retention-"));
  try {
    await using writer = await openLedger({
      directory,
      node: "n/web",
      spiffe: "spiffe://bank.example/ns/n/sa/web",
      policy: "n/main",
      durability: { each: true, everyMs: 5 },
    });
    let deleted = 0;
    let nowMs = Date.now();
    const retention = new Retention({
      writer,
      settings: () => settings,
      everySinkHas: everywhere,
      deleted: () => deleted++,
      now: () => nowMs,
      logger: pino({ level: "silent" }),
    });
    await writer.rollSegment();
    expect(existsSync(join(directory, "00000000.jsonl"))).toBe(true);
    nowMs += 11 * DAY_MS;
    await writer.rollSegment();
    await until("deleted", () => deleted === 1);
    await retention.close();
    expect(existsSync(join(directory, "00000000.jsonl"))).toBe(false);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
