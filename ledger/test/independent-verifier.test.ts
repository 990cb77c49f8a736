import { sign } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyDirectory } from "../src/store/index.ts";
import { type Signer, TestAuthority } from "./authority.ts";
import { DAMAGES } from "./damage.ts";
import { verifyIndependently, withoutPython } from "./independent-verifier.ts";
import {
  appendTo,
  copyOf,
  decision,
  linesOf,
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
  let signer: Signer;
  let root: Uint8Array;
  let rootPem: string;
  let witnessed: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const authority = await TestAuthority.create();
    signer = await authority.certify(OWNER);
    root = authority.root;
    whole = await writeWitnessedLedger(join(folder.path, "whole"), authority, signer);
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
    {
      await using writer = await open(directory);
      await writer.rollSegment();
      await writer.deleteSegment(2, "standard");
    }
    // What said so of segments 0 and 1 went with segment 2.
    expect(verifyIndependently(directory, rootPem, witnessed)).toMatchObject({ status: 0 });
    await rm(join(directory, "00000003.jsonl"), { force: true });
    expect(verifyIndependently(directory, rootPem, witnessed)).toMatchObject({ status: 1 });
  });

  test.each(DAMAGES)("with $name: names the record", async ({ name, apply, seq, independentSeq }) => {
    const directory = await copyOf(whole.directory, join(folder.path, name.replaceAll(" ", "-")));
    await apply(directory, whole.ledger);
    const { status, output } = verifyIndependently(directory, rootPem, witnessed);
    expect(status).toBe(1);
    expect(output).not.toContain("Traceback");
    const record = independentSeq ?? seq;
    const named = record === undefined ? "checkpoint 2" : `record ${record}`;
    expect(output).toMatch(new RegExp(`${named}\\b`));
  });

  test.each<[name: string, claims: object, header?: object]>([
    ["a number below 0", { seq: -1 }],
    ["no number", { seq: "40" }],
    ["half a number", { seq: 39.5 }],
    ["a number before the last one's", { seq: 7 }],
    ["no segment", { segment: undefined }],
    ["an end that is none", { closed: "yes" }],
    ["no time", { iat: undefined }],
    ["two certificates", {}, { x5c: ["first", "first"] }],
    ["no signature", {}, { alg: "none" }],
    ["a signature by a shared secret", {}, { alg: "HS256" }],
    ["a signature by the witness's algorithm", {}, { alg: "ES256" }],
    ["a critical extension", {}, { crit: ["b64"] }],
    ["8 KB of what nobody knows", { more: "x".repeat(8_000) }],
  ])("refuses a checkpoint with %s, as ours does", async (name, claims, header = {}) => {
    const directory = await copyOf(whole.directory, join(folder.path, name.replaceAll(" ", "-")));
    const path = join(directory, "checkpoints.jsonl");
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    const { checkpoint } = JSON.parse(lines.at(-1) ?? "");
    const head = (await linesOf(directory, 0))[7]?.slice(0, 64);
    const [before, said] = String(checkpoint)
      .split(".")
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()));
    const named = "x5c" in header ? { x5c: [before.x5c[0], before.x5c[0]] } : header;
    const parts = [
      { ...before, ...named },
      { ...said, ...claims, ...("seq" in claims && claims.seq === 7 ? { head } : {}) },
    ];
    const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const signature = sign(null, Buffer.from(signed), signer.privateKey).toString("base64url");
    const changed = JSON.stringify({ checkpoint: `${signed}.${signature}` });
    await writeFile(path, `${lines.with(-1, changed).join("\n")}\n`);
    const { status, output } = verifyIndependently(directory, rootPem);
    expect([status, output]).toEqual([1, expect.stringContaining("checkpoint 5")]);
    const { findings } = await verifyDirectory(directory, { roots: [root] });
    expect(findings).toMatchObject([{ kind: "checkpoint", message: expect.stringContaining("checkpoint 5") }]);
  });

  test("trusts no other root", async () => {
    const stranger = join(folder.path, "stranger.pem");
    await writeFile(stranger, (await TestAuthority.create()).pem);
    expect(verifyIndependently(whole.directory, stranger)).toMatchObject({ status: 1 });
  });
});
