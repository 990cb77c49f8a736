import { randomBytes } from "node:crypto";
import { copyFile, readdir, readFile, rename, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compactDecrypt } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { signCheckpoint, TestAuthority } from "../../test/authority.ts";
import {
  appendTo,
  copyOf,
  decision,
  linesOf,
  OWNER,
  open,
  segmentName,
  temporaryFolder,
  writeLines,
  writeWitnessedLedger,
} from "../../test/test-ledger.ts";
import { LedgerError } from "../errors.ts";
import type { LedgerRecord } from "../record.ts";
import { rewrapKeys } from "./data-keys.ts";
import type { LedgerOptions, Tip } from "./options.ts";
import { listLedgers } from "./read-lines.ts";
import { readRecords } from "./read-records.ts";
import { verifyDirectory } from "./verify-directory.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let directory: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  directory = join(folder.path, "ledger");
});
afterEach(() => folder[Symbol.asyncDispose]());

async function recordsOf(keys: readonly Buffer[] = [], from = directory) {
  const found: (LedgerRecord | undefined)[] = [];
  for await (const records of readRecords(from, { keyEncryptionKeys: keys }))
    for (const { record } of records) found.push(record === undefined || "enc" in record ? undefined : record);
  return found;
}

const typesOf = async (keys: readonly Buffer[] = []) => (await recordsOf(keys)).map((record) => record?.type);
const findingsOf = async () => (await verifyDirectory(directory, { roots: [] })).findings;

async function write(count: number, options: Partial<LedgerOptions> = {}): Promise<void> {
  await using writer = await open(directory, options);
  await Promise.all(Array.from({ length: count }, (_, index) => writer.append(decision(index))));
}

describe("a ledger", () => {
  test("holds what was appended, in the order of the calls, and goes on where it was closed", async () => {
    await write(3);
    await write(2);
    const records = await recordsOf();
    expect(records.map((record) => record?.type)).toEqual(["segment.opened", ...Array(5).fill("decision")]);
    expect(records.map((record) => record?.seq)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(records.flatMap((record) => (record?.type === "decision" ? record.bodyBytes : []))).toEqual([0, 1, 2, 0, 1]);
    expect(await findingsOf()).toEqual([]);
  });

  test("has one writer at a time", async () => {
    await using writer = await open(directory);
    await expect(open(directory)).rejects.toMatchObject({ code: "locked" });
    await writer.close();
    await using _ = await open(directory);
  });

  test.each([true, false])("tells when records are on disk (each: %s)", async (each) => {
    await using writer = await open(directory, { durability: { each, everyMs: 1 } });
    const tips: Tip[] = [];
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    writer.onDurable((tip) => {
      tips.push(tip);
      if (tip.seq === 2) resolve();
    });
    await writer.append(decision(1));
    const { seq, head } = await writer.append(decision(2));
    expect(each ? writer.tip() : { seq, head }).toMatchObject({ seq, head });
    await reached;
    const { size } = await stat(join(directory, segmentName(0)));
    expect(writer.tip()).toEqual({ segment: 0, seq, head, offset: size });
    expect(await writer.flush()).toEqual(writer.tip());
  });

  test("takes no more than its backlog, and is open again afterwards", async () => {
    await using writer = await open(directory, { limits: { backlogRecords: 10 } });
    const results = await Promise.allSettled(Array.from({ length: 15 }, (_, index) => writer.append(decision(index))));
    const codes = results.map((result) => (result.status === "rejected" ? result.reason.code : "written"));
    expect(codes).toEqual([...Array(10).fill("written"), ...Array(5).fill("backlog_full")]);
    expect((await writer.append(decision(99))).seq).toBe(11);
    expect(writer.health).toMatchObject({ failure: undefined, backlogRecords: 0 });
  });

  test("counts what is not on disk yet into its backlog", async () => {
    const durability = { each: false, everyMs: 1000 };
    await using writer = await open(directory, { durability, limits: { backlogBytes: 1000 } });
    const codes: string[] = [];
    for (let number = 0; number < 8; number++)
      codes.push(
        await writer.append(decision(number)).then(
          () => "written",
          (error: unknown) => (error instanceof LedgerError ? error.code : "threw"),
        ),
      );
    expect(codes.slice(0, 2)).toEqual(["written", "written"]);
    expect(codes.at(-1)).toBe("backlog_full");
    await writer.flush();
    await writer.append(decision(99));
  });

  test("that was closed or sealed takes nothing", async () => {
    const writer = await open(directory);
    await writer.seal();
    await expect(writer.append(decision(1))).rejects.toMatchObject({ code: "closed" });
    await writer.close();
    await expect(writer.append(decision(1))).rejects.toMatchObject({ code: "closed" });
    expect(await typesOf()).toEqual(["segment.opened", "segment.closed"]);
  });

  test("writes what was appended before it was closed", async () => {
    const writer = await open(directory);
    const appended = writer.append(decision(1));
    await writer.close();
    expect((await appended).seq).toBe(1);
    expect(await typesOf()).toEqual(["segment.opened", "decision"]);
  });
});

describe("segments", () => {
  test("end when they are long, and go on by themselves", async () => {
    await write(200, { limits: { segmentBytes: 2000 } });
    await write(200, { limits: { segmentBytes: 2000 } });
    expect((await readdir(directory)).filter((name) => name.endsWith("jsonl")).length).toBeGreaterThan(1);
    expect(await findingsOf()).toEqual([]);
    expect((await typesOf()).filter((type) => type === "decision")).toHaveLength(400);
  });

  test("end when they are old; a clock that jumps back does not end one for less than that", async () => {
    let nowMs = Date.parse("2026-03-01T12:00:00Z");
    await using writer = await open(directory, { now: () => nowMs, limits: { segmentMs: 3_600_000 } });
    await writer.append(decision(1));
    nowMs -= 60_000;
    await writer.append(decision(2));
    expect(writer.tip().segment).toBe(0);
    nowMs += 3_700_000;
    await writer.append(decision(3));
    await writer.flush();
    expect(writer.tip().segment).toBe(1);
    const times = (await recordsOf()).map((record) => record?.time);
    expect(times[2]).toBe("2026-03-01T11:59:00.000Z");
    expect(await findingsOf()).toEqual([]);
    expect(await writer.segments()).toMatchObject([
      { segment: 0, closedAt: new Date("2026-03-01T13:00:40.000Z") },
      { segment: 1, closedAt: undefined },
    ]);
  });

  test("are deleted when they are closed, and it is recorded first", async () => {
    await using writer = await open(directory);
    await writer.append(decision(1));
    await expect(writer.deleteSegment(0, "standard")).rejects.toMatchObject({ code: "no_segment" });
    await writer.rollSegment();
    await writer.rollSegment();
    await expect(writer.deleteSegment(1, "standard")).rejects.toMatchObject({ code: "no_segment" });
    await writer.deleteSegment(0, "standard");
    await expect(writer.deleteSegment(0, "standard")).rejects.toMatchObject({ code: "no_segment" });
    expect((await recordsOf()).at(-1)).toMatchObject({ type: "segment.deleted", segment: 0, records: 2 });
    expect(await verifyDirectory(directory, { roots: [] })).toMatchObject({
      findings: [],
      deletedSegments: [{ from: 0, to: 0 }],
    });
  });
});

describe("a tail that a crash tore", () => {
  test("at any byte is cut off and reported, and all before it is kept", async () => {
    await write(4);
    await write(3, { limits: { segmentBytes: 500 } });
    const { size } = await stat(join(directory, segmentName(1)));
    for (let length = 0; length < size; length += 37) {
      const copy = await copyOf(directory, join(folder.path, `cut-${length}`));
      await truncate(join(copy, segmentName(1)), length);
      const whole = (await readFile(join(copy, segmentName(1)))).lastIndexOf("\n") + 1;
      await using writer = await open(copy);
      expect(writer.recovery).toMatchObject({ repairedBytes: length - whole, created: false, damaged: undefined });
      const { seq } = await writer.append(decision(99));
      await writer.flush();
      const report = await verifyDirectory(copy, { roots: [] });
      expect(report).toMatchObject({ findings: [], unfinishedBytes: 0, last: { seq } });
      const repaired = (await recordsOf([], copy)).filter((record) => record?.type === "tail.repaired");
      expect(repaired).toHaveLength(length === whole ? 0 : 1);
    }
  });

  test.each([
    ["bytes", "0123456789"],
    ["zeros", "\0".repeat(4096)],
    ["a line that does not fit", `${"0".repeat(64)} {"seq":4,"type":"decision"}\n`],
  ])("of %s is cut off", async (_, tail) => {
    await write(3);
    await appendTo(directory, 0, tail);
    await using writer = await open(directory);
    expect(writer.recovery.repairedBytes).toBe(tail.length);
    expect((await recordsOf()).at(-1)).toMatchObject({ type: "tail.repaired", segment: 0, bytes: tail.length });
    expect(await findingsOf()).toEqual([]);
  });
});

describe("a ledger that can't be gone on with is set aside as it is", () => {
  test("where a record in the middle was changed", async () => {
    await write(5);
    const lines = await linesOf(directory, 0);
    const changed = lines.with(2, lines[2]?.replace("tabular", "tabulas") ?? "");
    await writeLines(directory, 0, changed);
    await using writer = await open(directory);
    expect(writer.recovery).toMatchObject({ created: true, damaged: expect.stringContaining("goes on at record") });
    const { archived = "" } = writer.recovery;
    expect(await linesOf(archived, 0)).toEqual(changed);
    expect((await listLedgers(folder.path)).toSorted()).toEqual([directory, archived].toSorted());
    expect((await writer.append(decision(1))).seq).toBe(1);
  });

  test("where it was closed for good", async () => {
    const authority = await TestAuthority.create();
    const signer = await authority.certify(OWNER);
    const writer = await open(directory);
    const claims = { ledger: writer.id, ...(await writer.seal()) };
    const checkpoint = signCheckpoint(signer, claims, { closed: true });
    await writeFile(join(directory, "checkpoints.jsonl"), `${JSON.stringify({ checkpoint })}\n`);
    await writer.close();
    await using next = await open(directory);
    expect(next.id).not.toBe(writer.id);
    const { archived = "", damaged } = next.recovery;
    expect(damaged).toBeUndefined();
    const report = await verifyDirectory(archived, { roots: [authority.root] });
    expect(report).toMatchObject({ findings: [], closed: true, signedTo: 1 });
  });

  test("where a checkpoint covers more than there is", async () => {
    const authority = await TestAuthority.create();
    await writeWitnessedLedger(directory, authority, await authority.certify(OWNER));
    const lines = await linesOf(directory, 2);
    await writeLines(directory, 2, lines.slice(0, -2));
    await using writer = await open(directory);
    expect(writer.recovery.damaged).toContain("a checkpoint covers record 40");
  });

  test("where it is another workload's; its digest key stays", async () => {
    await write(1);
    await writeFile(join(directory, "digest.key"), "key");
    await using writer = await open(directory, { spiffe: "spiffe://test/ns/models/sa/other" });
    expect(writer.recovery).toMatchObject({ created: true, damaged: undefined });
    expect(await readFile(join(directory, "digest.key"), "utf8")).toBe("key");
    expect(await recordsOf([], writer.recovery.archived)).toHaveLength(2);
  });

  test("but not where ledger.json can't be read", async () => {
    await write(1);
    await writeFile(join(directory, "ledger.json"), "{}");
    await expect(open(directory)).rejects.toMatchObject({ code: "damaged" });
  });

  test("where its file is another segment's", async () => {
    await write(1);
    await rename(join(directory, segmentName(0)), join(directory, segmentName(3)));
    await using writer = await open(directory);
    expect(writer.recovery.damaged).toContain("segment 3 says that it is segment 0");
  });
});

describe("an encrypted ledger", () => {
  const kek = randomBytes(32);
  const next = randomBytes(32);
  const isRefused = { code: "wrong_key" };

  test("shows only what is about itself, and all of it to who has the key", async () => {
    await write(3, { keyEncryptionKey: kek });
    expect(await readFile(join(directory, segmentName(0)), "utf8")).not.toContain('"model"');
    expect(await typesOf()).toEqual(["segment.opened", undefined, undefined, undefined]);
    expect(await typesOf([kek])).toEqual(["segment.opened", "decision", "decision", "decision"]);
    await expect(recordsOf([next])).rejects.toMatchObject(isRefused);
    expect(await findingsOf()).toEqual([]);
  });

  test("keeps its data keys as JWE, which jose opens", async () => {
    await write(1, { keyEncryptionKey: kek });
    const [name = ""] = await readdir(join(directory, "keys"));
    const jwe = await readFile(join(directory, "keys", name), "utf8");
    const { plaintext, protectedHeader } = await compactDecrypt(jwe, kek);
    expect(plaintext).toHaveLength(32);
    expect(protectedHeader).toMatchObject({ alg: "A256GCMKW", enc: "A256GCM", kid: name.replace(".jwe", "") });
  });

  test("is not opened with another key, and goes on after its keys were wrapped anew", async () => {
    await write(2, { keyEncryptionKey: kek });
    await expect(open(directory, { keyEncryptionKey: next })).rejects.toMatchObject(isRefused);
    await rewrapKeys(directory, kek, next);
    await rewrapKeys(directory, kek, next);
    await expect(rewrapKeys(directory, kek, randomBytes(32))).rejects.toMatchObject(isRefused);
    await write(2, { keyEncryptionKey: next });
    expect((await typesOf([next])).filter((type) => type === "decision")).toHaveLength(4);
    await expect(recordsOf([kek])).rejects.toMatchObject(isRefused);
  });

  test("changes its key while it is written", async () => {
    {
      await using writer = await open(directory, { keyEncryptionKey: kek });
      await writer.append(decision(1));
      const writing = writer.append(decision(2));
      await writer.useKeyEncryptionKey(next);
      await writing;
      await writer.rollSegment();
      await writer.append(decision(3));
    }
    expect((await typesOf([next])).filter((type) => type === "decision")).toHaveLength(3);
  });

  test("begins a segment where encryption is switched on or off", async () => {
    await write(1);
    await write(1, { keyEncryptionKey: kek });
    await write(1);
    const ends = ["segment.closed", "segment.opened"];
    expect(await typesOf([kek])).toEqual(["segment.opened", "decision", ...ends, "decision", ...ends, "decision"]);
    expect(await findingsOf()).toEqual([]);
  });

  test("whose segment was deleted has lost its data key; copies of the segment stay sealed", async () => {
    await using writer = await open(directory, { keyEncryptionKey: kek });
    await writer.append(decision(1));
    await writer.rollSegment();
    const copy = join(folder.path, "copy");
    await copyFile(join(directory, segmentName(0)), copy);
    await writer.deleteSegment(0, "standard");
    await copyFile(copy, join(directory, segmentName(0)));
    expect((await typesOf([kek])).slice(0, 3)).toEqual(["segment.opened", undefined, "segment.closed"]);
    expect(await readdir(join(directory, "keys"))).toHaveLength(1);
    expect(await findingsOf()).toEqual([]);
  });
});
