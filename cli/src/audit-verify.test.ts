import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger } from "@hedgerow/ledger/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuditedMesh, asIs, editLines, editText, segmentFile } from "./testing/audited-mesh.ts";
import { MeshAuthority } from "./testing/mesh-authority.ts";
import { runHere } from "./testing/run-here.ts";

let mesh: AuditedMesh;
beforeAll(async () => {
  mesh = await AuditedMesh.start();
});
afterAll(() => mesh[Symbol.dispose]());

describe("hedgerow audit verify", () => {
  it("finds nothing wrong where nothing is, and says what the witness does not cover yet", async () => {
    const { code, stdout, stderr } = await mesh.ask("audit", "verify", "--all");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^LEDGER +RECORDS +SEGMENTS +CHECKPOINTS +WITNESSED +NOT YET +VERIFIED\n/);
    expect(stdout).toMatch(/\nmodels\/digits-1 \(models\/models\) +10 +2 +2 +\S+ ago +1 +✓ whole\n/);
    expect(stdout).toMatch(/\n✓ 2 ledgers, 12 records, all verified\n$/);
  });

  it("does so for an auditor with copies, roots and what the witness knew", async () => {
    expect(await mesh.askOffline(asIs, "audit", "verify", "--all", ...mesh.auditorArgs)).toMatchObject({
      code: 0,
      stderr: "",
    });
    const { stdout } = await mesh.askOffline(asIs, "audit", "verify", "--all", ...mesh.auditorArgs, "-o", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      good: true,
      ledgers: [
        { state: "verified", node: "hedgerow-system/control-plane-0" },
        { ledger: mesh.digits.id, records: 10, uncovered: 1, problems: [] },
      ],
      notVerified: [],
    });
  });

  it("counts segments that a ledger says were deleted", async () => {
    const directory = mkdtempSync(join(tmpdir(), "hedgerow-deleted-"));
    try {
      {
        const owner = { node: "models/a", spiffe: "spiffe://bank.example/ns/models/sa/a", policy: "models/models" };
        await using writer = await openLedger({ directory, ...owner, durability: { each: true, everyMs: 5 } });
        for (const segment of [0, 1]) {
          await writer.rollSegment();
          await writer.deleteSegment(segment, "standard");
        }
      }
      const { code, stdout } = await mesh.askOffline(asIs, "audit", "verify", "--ledger", directory);
      expect([code, stdout]).toEqual([
        0,
        expect.stringContaining("models/a (models/models): 2 segments deleted, as it says\n"),
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it.each<[what: string, edit: (audit: string) => void, found: RegExp]>([
    [
      "a letter",
      (audit) => editText(segmentFile(audit), (text) => text.replace("apps/sa/batch-job", "apps/sa/batch-jab")),
      /record 2.*\(decision 8R4GK2M9D0Z4XN8B\)/,
    ],
    ["a record that is gone", (audit) => editLines(segmentFile(audit), (lines) => lines.toSpliced(2, 1)), /record 2\b/],
    [
      "records that changed places",
      (audit) => editLines(segmentFile(audit), (lines) => lines.with(1, lines[2] ?? "").with(2, lines[1] ?? "")),
      /record [12]\b/,
    ],
    ["a tail that was cut", (audit) => editLines(segmentFile(audit, 1), (lines) => lines.slice(0, 2)), /record/],
    ["a segment that is gone", (audit) => rmSync(segmentFile(audit)), /segment 0/],
    [
      "a checkpoint that is gone, with the tail",
      (audit) => {
        editLines(segmentFile(audit, 1), (lines) => lines.slice(0, 1));
        rmSync(join(audit, "models.models/checkpoints.jsonl"));
      },
      /witness/,
    ],
    [
      "a ledger that is gone",
      (audit) => rmSync(join(audit, "models.models"), { recursive: true }),
      /the witness knows this ledger .* and it is in none of the directories/,
    ],
    [
      "a ledger in another's place",
      (audit) => {
        renameSync(join(audit, "models.models/ledger.json"), join(audit, "ledger.json"));
        cpSync(join(audit, "control-plane/ledger.json"), join(audit, "models.models/ledger.json"));
      },
      /segment 0 is of another ledger/,
    ],
    [
      "a ledger without a name",
      (audit) => rmSync(join(audit, "models.models/ledger.json")),
      /no ledger.json that says whose they are/,
    ],
    [
      "another name",
      (audit) =>
        editText(join(audit, "models.models/ledger.json"), (text) =>
          text.replace("models/digits-1", "models/digits-9"),
        ),
      /ledger.json was altered: the witness says that it is of models\/digits-1, not of models\/digits-9/,
    ],
  ])("finds %s", async (_, edit, found) => {
    const { code, stdout } = await mesh.askOffline(edit, "audit", "verify", "--all", ...mesh.auditorArgs);
    expect(stdout).toMatch(found);
    expect(stdout).toMatch(/\n✗ \d of \d ledgers? damaged or missing; /);
    expect(code).toBe(1);
  });

  it("verifies the chain alone without roots, and says what that leaves open", async () => {
    const { code, stdout, stderr } = await mesh.askOffline(asIs, "audit", "verify");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/models\/digits-1 \(models\/models\) +10 +2 +2 +never +10 +! chain only\n/);
    expect(stdout).toContain("! not verified: the witness could not be asked: no control plane at DIR/admin.sock");
    expect(stdout).toContain(
      "! not verified: who wrote the ledgers, and whether they were written anew: there are no roots",
    );
    expect(stdout).toMatch(/\n! 2 ledgers, 12 records: nothing is wrong in what could be verified\n$/);
    expect(
      (
        await mesh.askOffline(
          (audit) => editText(segmentFile(audit), (text) => text.replace("batch-job", "batch-jab")),
          "audit",
          "verify",
        )
      ).code,
    ).toBe(1);
  });

  it("says that a cut tail is not seen without the witness", async () => {
    const { code, stdout } = await mesh.askOffline(asIs, "audit", "verify", "--roots", mesh.authority.roots);
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining("! not verified: whether a ledger is missing or its tail was cut"),
    ]);
    expect(stdout).toContain("! signatures only");
  });

  it("does not trust another mesh's roots", async () => {
    const other = join(mesh.directory, "other");
    mkdirSync(other);
    const { roots } = new MeshAuthority(other);
    expect(
      await mesh.askOffline(
        asIs,
        "audit",
        "verify",
        "--roots",
        roots,
        "--witness",
        join(mesh.directory, "witness.json"),
      ),
    ).toMatchObject({
      code: 1,
    });
  });

  it("needs the witness to find what is missing", async () => {
    expect(await mesh.askOffline(asIs, "audit", "verify", "--all", "--roots", mesh.authority.roots)).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringMatching(
        /^hedgerow: --all needs to know which ledgers there are, and the witness could not be asked: no control plane at /,
      ),
    });
  });

  it("fails where the control plane that was named does not answer", async () => {
    expect(
      await runHere([
        "audit",
        "verify",
        "--socket",
        join(mesh.directory, "no.sock"),
        "--ledger",
        mesh.digits.directory,
      ]),
    ).toMatchObject({ code: 3 });
  });

  it.each([
    [
      "no directory",
      () => join(mesh.directory, "nowhere"),
      /^hedgerow: could not read .*nowhere: no such file or directory; name a directory of ledgers with --ledger DIR/,
    ],
    ["a file", () => mesh.authority.roots, /is no directory of ledgers/],
    ["no ledger in it", () => join(mesh.directory, "certified-1"), /^hedgerow: no ledger in or below /],
  ])("ends with 2 where there is %s", async (_, place, message) => {
    expect(await runHere(["audit", "verify", "--ledger", place()])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(message),
    });
  });
});
