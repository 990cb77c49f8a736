import { execFileSync } from "node:child_process";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Signer, TestAuthority } from "../../test/authority.ts";
import { DAMAGES } from "../../test/damage.ts";
import {
  appendTo,
  copyOf,
  decision,
  OWNER,
  open,
  temporaryFolder,
  type WitnessedLedger,
  writeWitnessedLedger,
} from "../../test/test-ledger.ts";
import { verifyDirectory } from "./verify-directory.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: TestAuthority;
let signer: Signer;
let whole: WitnessedLedger;

beforeAll(async () => {
  folder = await temporaryFolder();
  authority = await TestAuthority.create();
  signer = await authority.certify(OWNER);
  whole = await writeWitnessedLedger(join(folder.path, "whole"), authority, signer);
});
afterAll(() => folder[Symbol.asyncDispose]());

const verify = (directory: string) =>
  verifyDirectory(directory, { roots: [authority.root], witnessed: whole.remembered });

describe("a ledger", () => {
  test("that is whole has no findings, and is covered to its end", async () => {
    expect(await verify(whole.directory)).toMatchObject({
      findings: [],
      moreFindings: 0,
      records: 41,
      segments: 3,
      signedTo: 40,
      witnessedTo: 40,
      closed: false,
      unfinishedBytes: 0,
    });
  });

  test("that is being written has an unfinished tail, which is no finding", async () => {
    const directory = await copyOf(whole.directory, join(folder.path, "torn"));
    await appendTo(directory, 2, "0123456789 {");
    expect(await verify(directory)).toMatchObject({ findings: [], unfinishedBytes: 12, witnessedTo: 40 });
  });

  test.each(DAMAGES)("with $name: the record is named", async ({ name, apply, kind, seq }) => {
    const directory = await copyOf(whole.directory, join(folder.path, name.replaceAll(" ", "-")));
    await apply(directory, whole.ledger);
    const { findings } = await verify(directory);
    expect(findings[0]).toMatchObject({ kind, ...(seq === undefined ? {} : { seq }) });
    expect(findings.length).toBeLessThanOrEqual(3);
  });

  test("whose file is another ledger's: named", async () => {
    const other = await writeWitnessedLedger(join(folder.path, "other"), authority, signer);
    const directory = await copyOf(whole.directory, join(folder.path, "swapped"));
    await copyFile(join(other.directory, "00000001.jsonl"), join(directory, "00000001.jsonl"));
    const { findings } = await verify(directory);
    expect(findings[0]).toMatchObject({ kind: "segment_swapped", segment: 1, seq: 14 });
    expect(findings[0]?.message).toContain(other.ledger);
    const wholly = await verifyDirectory(other.directory, { roots: [authority.root], witnessed: whole.remembered });
    expect(wholly.findings.map(({ kind }) => kind)).toEqual(["checkpoint"]);
  });

  test("whose checkpoints another authority's key signed: every one is refused", async () => {
    const stranger = await TestAuthority.create();
    const directory = join(folder.path, "forged");
    await mkdir(directory);
    const forged = await writeWitnessedLedger(directory, stranger, await stranger.certify(OWNER));
    const { findings, signedTo } = await verifyDirectory(forged.directory, { roots: [authority.root] });
    expect(findings.length).toBe(6);
    expect(new Set(findings.map(({ kind }) => kind))).toEqual(new Set(["checkpoint"]));
    expect(signedTo).toBeUndefined();
  });

  test.each([
    ["of another workload", { ...OWNER, spiffe: "spiffe://test/ns/models/sa/other" }, {}],
    ["of another instance", { ...OWNER, node: "models/tabular-2" }, {}],
    ["that had ended", OWNER, { lifetimeMs: -3_600_000 }],
    ["that is for TLS", OWNER, { usage: "1.3.6.1.5.5.7.3.2" }],
  ])("whose checkpoints a certificate signed %s: refused", async (name, names, options) => {
    const other = { ...(await authority.certify(names, options)), ...OWNER };
    const ledger = await writeWitnessedLedger(join(folder.path, name.replaceAll(" ", "-")), authority, other);
    const { findings, signedTo } = await verifyDirectory(ledger.directory, { roots: [authority.root] });
    expect(findings[0]).toMatchObject({ kind: "checkpoint" });
    expect(signedTo).toBeUndefined();
  });

  test("whose segments were deleted as it says is whole", async () => {
    const directory = await copyOf(whole.directory, join(folder.path, "deleted"));
    {
      await using writer = await open(directory);
      await writer.deleteSegment(0, "standard");
      await writer.deleteSegment(1, "standard");
      await writer.append(decision(99));
    }
    expect(await verify(directory)).toMatchObject({
      findings: [],
      deletedSegments: [{ from: 0, to: 1 }],
      witnessedTo: 40,
    });
  });

  test("whose records of deletions were themselves deleted is whole; with one segment more gone it is not", async () => {
    const directory = await copyOf(whole.directory, join(folder.path, "long-deleted"));
    {
      await using writer = await open(directory);
      await writer.deleteSegment(0, "standard");
      await writer.rollSegment();
      await writer.append(decision(99));
      await writer.rollSegment();
      for (const segment of [1, 2]) await writer.deleteSegment(segment, "standard");
    }
    expect(await verify(directory)).toMatchObject({ findings: [], deletedSegments: [{ from: 0, to: 2 }] });
    await rm(join(directory, "00000003.jsonl"));
    expect((await verify(directory)).findings).toMatchObject([{ kind: "segment_missing", segment: 3 }]);
  });

  test("with a file named after a segment that nobody ever reached: named", async () => {
    const directory = await copyOf(whole.directory, join(folder.path, "far"));
    await copyFile(join(directory, "00000002.jsonl"), join(directory, "99999999999999.jsonl"));
    const { findings } = await verify(directory);
    expect(findings).toContainEqual(expect.objectContaining({ kind: "segment_missing", segment: 3 }));
  });

  test.each(["00000003.jsonl", "checkpoints.jsonl", "ledger.json"])(
    "with a pipe as %s keeps nobody waiting",
    async (name) => {
      const directory = await copyOf(whole.directory, join(folder.path, `pipe-${name}`));
      await rm(join(directory, name), { force: true });
      execFileSync("mkfifo", [join(directory, name)]);
      await expect(verify(directory)).rejects.toMatchObject({ code: "damaged" });
    },
  );

  test("whose segment is gone, of which another was deleted: named", async () => {
    const directory = await copyOf(whole.directory, join(folder.path, "half-deleted"));
    {
      await using writer = await open(directory);
      await writer.deleteSegment(0, "standard");
    }
    await rm(join(directory, "00000001.jsonl"));
    expect((await verify(directory)).findings).toMatchObject([{ kind: "segment_missing", segment: 1 }]);
  });
});
