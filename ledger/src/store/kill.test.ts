import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { open, temporaryFolder } from "../../test/test-ledger.ts";
import { readRecords } from "./read-records.ts";
import { verifyDirectory } from "./verify-directory.ts";

const KILLS = Number(process.env["HEDGEROW_KILLS"] ?? 8);
const child = join(import.meta.dirname, "../../test/append-until-killed.ts");
const kek = Buffer.alloc(32, 5);

interface Killed {
  readonly acknowledged: readonly number[];
  readonly repairedBytes: number;
}

/** Kills the writer when it has acknowledged so many records, which is a different place each time. */
async function writeAndKill(directory: string, mode: string, after: number): Promise<Killed> {
  const writer = spawn(process.execPath, [child, directory, mode, kek.toString("hex")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(writer, "close");
  const acknowledged: number[] = [];
  let recovery: { repairedBytes: number } | undefined;
  for await (const line of createInterface(writer.stdout)) {
    if (recovery === undefined) recovery = JSON.parse(line);
    else acknowledged.push(Number(line));
    if (acknowledged.length === after) writer.kill("SIGKILL");
  }
  await ended;
  return { acknowledged, repairedBytes: recovery?.repairedBytes ?? 0 };
}

test.each(["each", "batch"])(
  `fsync: %s: killed ${KILLS} times, no acknowledged record is missing, and the ledger verifies`,
  async (mode) => {
    await using folder = await temporaryFolder();
    const directory = join(folder.path, "ledger");
    const acknowledged = new Set<number>();
    let repairs = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const killed = await writeAndKill(directory, mode, 1 + Math.floor(Math.random() * 60));
      for (const seq of killed.acknowledged) {
        // A number that is given out twice would have been taken back from a record that somebody relies on.
        expect(acknowledged.has(seq), `record ${seq} acknowledged twice`).toBe(false);
        acknowledged.add(seq);
      }
      if (killed.repairedBytes > 0) repairs++;
    }
    await using writer = await open(directory, { keyEncryptionKey: kek });
    if (writer.recovery.repairedBytes > 0) repairs++;
    const seen = new Set<number>();
    let reported = 0;
    for await (const records of readRecords(directory, { keyEncryptionKeys: [kek] })) {
      for (const { record } of records) {
        if (record === undefined || "enc" in record) throw new Error("a record can't be read");
        seen.add(record.seq);
        if (record.type === "tail.repaired") reported++;
      }
    }
    expect([...acknowledged].filter((seq) => !seen.has(seq))).toEqual([]);
    expect(acknowledged.size).toBeGreaterThanOrEqual(KILLS);
    // A tail of a segment that was cut off is reported; of one whose beginning was torn, with it.
    expect(reported).toBe(repairs);
    expect(await verifyDirectory(directory, { roots: [] })).toMatchObject({ findings: [], unfinishedBytes: 0 });
    expect(writer.recovery).toMatchObject({ created: false, archived: undefined, damaged: undefined });
  },
  KILLS * 5_000 + 30_000,
);
