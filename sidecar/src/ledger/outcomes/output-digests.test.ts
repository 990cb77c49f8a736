import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordBody } from "@hedgerow/ledger";
import { pino } from "pino";
import { expect, test } from "vitest";
import { OutcomeBook } from "./outcome-book.ts";
import { OutputDigests } from "./output-digests.ts";

const ID = "7Q3FK2M9D0Z4XN8B";

test("a digest that is there is told, until it is forgotten", async () => {
  const outputs = new OutputDigests();
  expect(outputs.begin(ID)).toBe(false);
  outputs.expect(ID);
  expect([outputs.begin(ID), outputs.begin(ID)]).toEqual([true, false]);
  outputs.end(ID, "digest");
  expect([await outputs.of(ID), await outputs.of(ID), outputs.begin(ID)]).toEqual(["digest", "digest", false]);
  outputs.forget(ID);
  expect([await outputs.of(ID), outputs.size]).toEqual([undefined, 0]);
});

test("one that comes later is waited for", async () => {
  const outputs = new OutputDigests({ waitMs: 60_000 });
  outputs.expect(ID);
  const digest = outputs.of(ID);
  outputs.begin(ID);
  outputs.end(ID, "digest");
  expect(await digest).toBe("digest");
});

test("one that never comes is waited for once, and not for long", async () => {
  const outputs = new OutputDigests({ waitMs: 5 });
  outputs.expect(ID);
  expect(await outputs.of(ID)).toBeUndefined();
  const patient = new OutputDigests({ waitMs: 60_000 });
  patient.expect(ID);
  patient.begin(ID);
  const broken = patient.of(ID);
  patient.end(ID, undefined);
  expect([await broken, await patient.of(ID), await patient.of("unknown")]).toEqual([undefined, undefined, undefined]);
});

test("who waits for what is forgotten waits no more", async () => {
  const outputs = new OutputDigests({ waitMs: 60_000, most: 1 });
  outputs.expect(ID);
  const digest = outputs.of(ID);
  outputs.expect("another");
  expect([await digest, outputs.size]).toEqual([undefined, 1]);
});

test("what is given up stays while an answer is under way", () => {
  const outputs = new OutputDigests();
  outputs.expect(ID);
  outputs.begin(ID);
  outputs.giveUp(ID);
  expect(outputs.size).toBe(1);
  outputs.end(ID, "digest");
  outputs.giveUp(ID);
  expect(outputs.size).toBe(0);
});

test("an outcome has its digest, also when it is appended again after a failure or was given up before", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-outputs-"));
  const records: RecordBody[] = [];
  let fails = true;
  const outputs = new OutputDigests({ waitMs: 60_000 });
  const book = new OutcomeBook({
    directory,
    append: async (body) => {
      await Promise.resolve();
      if (fails) throw new Error("told to fail");
      records.push(body);
    },
    missed: () => undefined,
    tip: () => ({ segment: 0, offset: 0, seq: 0 }),
    resumed: { decisions: [], lines: new Set() },
    outputs,
    now: () => 0,
    logger: pino({ enabled: false }),
  });
  const outcome = { type: "outcome", id: ID, result: "answered", status: 200 } as const;
  book.decided(ID);
  outputs.expect(ID);
  outputs.begin(ID);
  const first = book.append(outcome);
  outputs.end(ID, "digest");
  await expect(first).rejects.toThrow("told to fail");
  fails = false;
  await book.append({ type: "outcome", id: "other", result: "unknown" });
  await book.append(outcome);
  expect(records.at(-1)).toEqual({ ...outcome, outputDigest: "digest" });
  expect([outputs.size, book.pending]).toEqual([0, 0]);

  outputs.expect(ID);
  outputs.begin(ID);
  await book.append({ type: "outcome", id: ID, result: "unknown" });
  outputs.end(ID, "late");
  await book.append(outcome);
  expect(records.at(-1)).toMatchObject({ outputDigest: "late" });
  await book.close();
  rmSync(directory, { recursive: true });
});
