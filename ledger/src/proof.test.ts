import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestAuthority } from "../test/authority.ts";
import {
  decision,
  OWNER,
  open,
  temporaryFolder,
  type WitnessedLedger,
  writeWitnessedLedger,
} from "../test/test-ledger.ts";
import { type RecordProof, verifyProof } from "./proof.ts";
import { proveRecord } from "./store/prove-record.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: TestAuthority;
let whole: WitnessedLedger;

beforeAll(async () => {
  folder = await temporaryFolder();
  authority = await TestAuthority.create();
  whole = await writeWitnessedLedger(join(folder.path, "ledger"), authority, await authority.certify(OWNER));
});
afterAll(() => folder[Symbol.asyncDispose]());

async function proofOf(seq: number): Promise<RecordProof> {
  const proof = await proveRecord(whole.directory, seq);
  if (proof === undefined) throw new Error(`no proof of record ${seq}`);
  return proof;
}

describe("a proof", () => {
  test("of every record holds, without the ledger", async () => {
    for (let seq = 0; seq <= whole.lastSeq; seq++) {
      const proof = JSON.parse(JSON.stringify(await proofOf(seq)));
      const { ledger } = whole;
      expect(verifyProof(proof, [authority.root]), `record ${seq}`).toMatchObject({
        ok: true,
        seq,
        ledger,
        node: OWNER.node,
        spiffe: OWNER.spiffe,
        witnessedAt: expect.any(Number),
      });
      expect(proof.payload).toContain(`{"seq":${seq},`);
    }
  });

  test("shows of other records their digests alone", async () => {
    const proof = await proofOf(5);
    expect(JSON.stringify(proof).match(/"bodyBytes|bodyBytes\\"/g)).toHaveLength(1);
    expect(proof.inclusion).toMatchObject({ index: 5, size: 13 });
  });

  test("is not to be had of what is not there, or not covered yet", async () => {
    expect(await proveRecord(whole.directory, 41)).toBeUndefined();
    const directory = join(folder.path, "uncovered");
    await using writer = await open(directory);
    const { seq } = await writer.append(decision(1));
    expect(await proveRecord(directory, seq)).toBeUndefined();
    await writeFile(join(directory, "ledger.json"), "");
    expect(await proveRecord(directory, seq)).toBeUndefined();
  });

  test.each([
    ["another record", (proof: RecordProof) => ({ ...proof, payload: proof.payload.replace("tabular", "tabulas") })],
    ["another head", (proof: RecordProof) => ({ ...proof, previous: "0".repeat(64) })],
    ["no digest", (proof: RecordProof) => ({ ...proof, previous: "" })],
    ["a leaf more", (proof: RecordProof) => ({ ...proof, following: [...proof.following, "0".repeat(64)] })],
    [
      "another countersignature",
      (proof: RecordProof) => ({ ...proof, witness: (proof.witness ?? "").replace(/..$/, "AA") }),
    ],
  ])("with %s does not hold", async (_, change) => {
    for (const seq of [5, 36])
      expect(verifyProof(change(await proofOf(seq)), [authority.root])).toMatchObject({ ok: false });
  });

  test("does not hold under another root, or of another checkpoint", async () => {
    const proof = await proofOf(5);
    expect(verifyProof(proof, [(await TestAuthority.create()).root])).toMatchObject({ ok: false });
    const { checkpoint } = await proofOf(36);
    expect(verifyProof({ ...proof, checkpoint }, [authority.root])).toMatchObject({ ok: false });
  });
});
