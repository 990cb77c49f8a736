import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordBody } from "@hedgerow/ledger";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../test/until.ts";
import { OutcomeBook } from "./outcome-book.ts";
import { OutputDigests } from "./output-digests.ts";

const id = (number: number) => String(number).padStart(16, "0");
const place = { segment: 0, offset: 0 };

let directory: string;
let records: RecordBody[];
let failing: boolean;
let nowMs: number;
let stack: AsyncDisposableStack;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-book-"));
  records = [];
  failing = false;
  nowMs = 0;
  stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(directory, { recursive: true }));
});
afterEach(() => stack.disposeAsync());

function book(resumed: readonly number[] = [], lines: readonly string[] = []): OutcomeBook {
  const decisions = resumed.map((number) => ({ id: id(number), atMs: number, place }));
  return stack.adopt(
    new OutcomeBook({
      directory,
      append: (body) => {
        if (failing) return Promise.reject(new Error("disk full"));
        records.push(body);
        return Promise.resolve();
      },
      missed: () => {},
      tip: () => place,
      resumed: { decisions, lines: new Set(lines) },
      outputs: new OutputDigests(),
      now: () => nowMs,
      logger: pino({ level: "silent" }),
      unknownAfterMs: 1_000,
      mostPending: 2,
    }),
    (opened) => opened.close(),
  );
}
const unknown = (number: number) => ({ type: "outcome", id: id(number), result: "unknown" });

describe("a decision of which nothing is heard", () => {
  test("is unknown once its time is over, not before", async () => {
    const opened = book();
    opened.decided(id(1));
    nowMs = 500;
    opened.decided(id(2));
    nowMs = 1_000;
    await opened.sweep();
    expect(records).toEqual([]);
    nowMs = 1_001;
    await opened.sweep();
    expect(records).toEqual([unknown(1)]);
    expect(opened.pending).toBe(1);
  });

  test("is unknown where there are too many, the oldest first", async () => {
    const opened = book();
    for (const number of [1, 2, 3]) opened.decided(id(number));
    await until("given up", () => records.length === 1);
    expect(records).toEqual([unknown(1)]);
    await opened.sweep();
    expect(records).toHaveLength(1);
  });

  test("is not forgotten where the ledger could not take that", async () => {
    const opened = book();
    failing = true;
    for (const number of [1, 2, 3]) opened.decided(id(number));
    await opened.sweep();
    failing = false;
    await opened.sweep();
    expect(records).toEqual([unknown(1)]);
  });

  test("by an agent before this one is recorded once the ledger is open", async () => {
    const opened = book([1, 2, 3]);
    expect(records).toEqual([]);
    await opened.sweep();
    expect(records).toEqual([unknown(1)]);
    expect(opened.pending).toBe(2);
  });
});

test("lines that are recorded are known until the log's end is reached", async () => {
  const opened = book([], ["a", "b"]);
  await opened.settled(false);
  expect(opened.hasLine("a")).toBe(true);
  await opened.settled(true);
  expect(opened.hasLine("b")).toBe(false);
});
