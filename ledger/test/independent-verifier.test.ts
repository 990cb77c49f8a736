import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestAuthority } from "./authority.ts";
import { DAMAGES } from "./damage.ts";
import { verifyIndependently, withoutPython } from "./independent-verifier.ts";
import {
  appendTo,
  copyOf,
  decision,
  OWNER,
  open,
  temporaryFolder,
  type WitnessedLedger,
  writeWitnessedLedger,
} from "./test-ledger.ts";

const reason = withoutPython();

describe.skipIf(reason !== undefined)(`docs/verify-ledger.py${reason === undefined ? "" : ` (${reason})`}`, () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let whole: WitnessedLedger;
  let rootPem: string;
  let witnessed: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const authority = await TestAuthority.create();
    whole = await writeWitnessedLedger(join(folder.path, "whole"), authority, await authority.certify(OWNER));
    rootPem = join(folder.path, "root.pem");
    await writeFile(rootPem, authority.pem);
    witnessed = join(folder.path, "witnessed.jsonl");
    const foreign = { ledger: "another", checkpoint: "", witness: "" };
    const lines = [foreign, { ledger: whole.ledger, ...whole.remembered }].map((line) => JSON.stringify(line));
    await writeFile(witnessed, `${lines.join("\n")}\n`);
  }, 120_000);
  afterAll(() => folder[Symbol.asyncDispose]());

  test("finds a whole ledger whole, also while it is written and after segments were deleted", async () => {
    const covered = { status: 0, output: "41 records, as they were written; checkpoints cover them to record 40\n" };
    expect(verifyIndependently(whole.directory, rootPem, witnessed)).toEqual(covered);
    const directory = await copyOf(whole.directory, join(folder.path, "deleted"));
    await appendTo(directory, 2, "0123456789 {");
    expect(verifyIndependently(directory, rootPem, witnessed)).toEqual(covered);
    {
      await using writer = await open(directory);
      await writer.deleteSegment(0, "standard");
      await writer.deleteSegment(1, "standard");
      await writer.append(decision(1));
    }
    expect(verifyIndependently(directory, rootPem, witnessed)).toMatchObject({ status: 0 });
  });

  test.each(DAMAGES)("with $name: names the record", async ({ name, apply, seq, independentSeq }) => {
    const directory = await copyOf(whole.directory, join(folder.path, name.replaceAll(" ", "-")));
    await apply(directory, whole.ledger);
    const { status, output } = verifyIndependently(directory, rootPem, witnessed);
    expect(status).toBe(1);
    expect(output).not.toContain("Traceback");
    const named = seq === undefined ? "checkpoint 2" : `record ${independentSeq ?? seq}`;
    expect(output).toMatch(new RegExp(`${named}\\b`));
  });

  test("trusts no other root", async () => {
    const stranger = join(folder.path, "stranger.pem");
    await writeFile(stranger, (await TestAuthority.create()).pem);
    expect(verifyIndependently(whole.directory, stranger)).toMatchObject({ status: 1 });
  });
});
