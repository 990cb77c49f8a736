import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { decision, open, segmentName, temporaryFolder } from "../../test/test-ledger.ts";
import { verifyDirectory } from "./verify-directory.ts";

// A real disk that is full: a tmpfs of 256 KiB, which only root can mount.
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("a disk that is full (as root)", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let disk: string;
  const filler = () => join(disk, "filler");

  beforeEach(async () => {
    folder = await temporaryFolder();
    disk = join(folder.path, "disk");
    await mkdir(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
  });
  afterEach(async () => {
    execFileSync("umount", ["--lazy", disk]);
    await folder[Symbol.asyncDispose]();
  });

  async function fill(): Promise<void> {
    for (let bytes = 128 * 1024; bytes > 0; bytes = Math.floor(bytes / 2)) {
      // Until nothing more goes in: that it fails is what is wanted.
      await writeFile(filler(), Buffer.alloc(bytes), { flag: "a" }).catch(() => {});
    }
  }

  test.each([true, false])("refuses records, holds none of them, and takes them again (each: %s)", async (each) => {
    const directory = join(disk, "ledger");
    await using writer = await open(directory, { durability: { each, everyMs: 1 }, retryMs: 20 });
    await writer.append(decision(1));
    await fill();
    const results = await Promise.allSettled(Array.from({ length: 50 }, (_, index) => writer.append(decision(index))));
    // What still fits into the last page goes in.
    const written = results.filter(({ status }) => status === "fulfilled").length;
    expect(written).toBeLessThan(50);
    const reasons = results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));
    expect(new Set(reasons)).toEqual(new Set(["disk_full"]));
    await expect(writer.append(decision(2))).rejects.toMatchObject({ code: "disk_full" });
    expect(writer.health.failure).toMatchObject({ code: "disk_full" });
    const text = await readFile(join(directory, segmentName(0)), "utf8");
    expect(text.endsWith("}\n")).toBe(true);
    expect(text.trimEnd().split("\n")).toHaveLength(2 + written);

    await rm(filler());
    await vi.waitFor(() => expect(writer.health.failure).toBeUndefined(), { timeout: 20_000 });
    expect((await writer.append(decision(3))).seq).toBe(2 + written);
    await writer.flush();
    expect(await verifyDirectory(directory, { roots: [] })).toMatchObject({
      findings: [],
      records: 3 + written,
      unfinishedBytes: 0,
    });
  });

  test("when a segment ends: the next is begun once there is room", async () => {
    const directory = join(disk, "ledger");
    await using writer = await open(directory, { retryMs: 20, keyEncryptionKey: Buffer.alloc(32) });
    await writer.append(decision(1));
    await writer.flush();
    await fill();
    await expect(writer.rollSegment()).rejects.toMatchObject({ code: "disk_full" });
    await expect(writer.append(decision(2))).rejects.toMatchObject({ code: "disk_full" });
    await rm(filler());
    await vi.waitFor(() => expect(writer.health.failure).toBeUndefined(), { timeout: 20_000 });
    await writer.append(decision(3));
    await writer.flush();
    expect(await verifyDirectory(directory, { roots: [] })).toMatchObject({ findings: [], unfinishedBytes: 0 });
  });

  test("refuses to begin a ledger", async () => {
    await fill();
    await expect(open(join(disk, "ledger"))).rejects.toMatchObject({ code: "disk_full" });
  });
});
