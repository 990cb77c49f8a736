import { appendFileSync, cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuditedMesh, bodies, DENIED, segmentFile } from "./testing/audited-mesh.ts";
import type { WrittenLedger } from "./testing/mesh-authority.ts";
import { decision, outcome, refusal } from "./testing/records.ts";
import { runHere } from "./testing/run-here.ts";

let mesh: AuditedMesh;
beforeAll(async () => {
  mesh = await AuditedMesh.start();
});
afterAll(() => mesh[Symbol.dispose]());

describe("an encrypted ledger", () => {
  const key = Buffer.alloc(32, 7);
  let sealed: WrittenLedger;
  const keyFile = (name: string, content: Buffer | string) => {
    const path = join(mesh.directory, name);
    writeFileSync(path, content);
    return path;
  };
  const read = (...args: string[]) =>
    runHere([...args, "--ledger", sealed.directory, "--roots", mesh.authority.roots], {
      env: { HEDGEROW_ADMIN_SOCKET: join(mesh.directory, "no.sock") },
    });
  const readOnly = (...args: string[]) => runHere([...args, "--ledger", sealed.directory]);
  beforeAll(async () => {
    sealed = await mesh.authority.write("sealed/models.sealed", bodies, { key, witness: false });
  });

  it("verifies without its key", async () => {
    expect(await read("audit", "verify")).toMatchObject({ code: 0 });
  });

  it("says how much it did not look at", async () => {
    expect(await readOnly("audit", "export")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("! 7 records are encrypted and were not looked at"),
    });
    expect((await readOnly("audit", "search")).stdout).toMatch(/^0 requests, 0 refused\n! 7 records are encrypted/);
    expect(await read("explain", DENIED)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("but 8 records are encrypted: give their key"),
    });
    expect((await read("evidence")).stdout).toContain(
      "<strong>7 records are encrypted and could not be read for this report.</strong>",
    );
  });

  it.each<[what: string, content: Buffer | string]>([
    ["32 bytes", key],
    ["hexadecimal", `${key.toString("hex")}\n`],
    ["base64", `${key.toString("base64")}\n`],
  ])("opens with its key as %s", async (name, content) => {
    const file = keyFile(`key-${name}`, content);
    expect((await readOnly("audit", "export", "--encryption-key", file)).stdout.trimEnd().split("\n")).toHaveLength(5);
    expect(await read("explain", DENIED, "--encryption-key", file)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^8R4GK2M9D0Z4XN8B/),
    });
  });

  it.each<[what: string, content: Buffer | string, message: RegExp]>([
    ["another key", Buffer.alloc(32, 8), /^hedgerow: could not read the ledger /m],
    ["no key", "secret", /does not hold 32 bytes/],
  ])("does not open with %s", async (name, content, message) => {
    expect(await readOnly("audit", "export", "--encryption-key", keyFile(`key-${name}`, content))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(message),
    });
  });
});

describe("what is in a ledger", () => {
  const hostile = "=cmd|' /C calc'!A0\u001b[2J\u009b31m\u202e<script>alert(1)</script>\n";
  const control = ["\u001b", "\u009b", "\u202e"];

  it("can't drive a terminal, a spreadsheet or a browser", async () => {
    const evil = decision("E0000000000000AA", {
      request: hostile,
      caller: hostile,
      model: hostile,
      version: hostile,
      method: hostile,
      verdict: "deny",
      reason: hostile,
      findings: [{ detector: hostile, message: hostile }],
      inputs: [{ name: hostile, datatype: hostile, shape: [1] }],
      access: { policy: hostile, rule: hostile },
    });
    const { directory: ledger } = await mesh.authority.write(
      "evil/models.evil",
      [
        evil,
        outcome("E0000000000000AA", { upstream: hostile, flags: hostile }),
        refusal(hostile, { caller: hostile, method: hostile, path: hostile, details: hostile }),
      ],
      { witness: false },
    );
    for (const args of [
      ["audit", "search"],
      ["audit", "search", "-o", "json"],
      ["audit", "search", "-o", "yaml"],
      ["audit", "export"],
      ["audit", "export", "--format", "csv"],
      ["explain", "E0000000"],
      ["explain", "E0000000", "-o", "yaml"],
      ["audit", "prove", "E0000000"],
      ["evidence"],
    ]) {
      const { stdout, code } = await runHere([...args, "--ledger", ledger]);
      expect([args, code]).toEqual([args, 0]);
      expect(stdout.length).toBeGreaterThan(100);
      for (const character of control) expect([args, stdout.includes(character)]).toEqual([args, false]);
    }
  });

  it("may be very much, and nothing", async () => {
    const many = Array.from({ length: 20_000 }, (_, index) => decision(`M${String(index).padStart(15, "0")}`));
    const { directory: ledger } = await mesh.authority.write("many/models.many", many, { witness: false });
    const { stdout } = await runHere(["audit", "search", "--ledger", ledger, "--limit", "3"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(6);
    expect(stdout).toMatch(/\n3 requests, 0 refused; 19,997 older ones not shown: /);
    const { directory: empty } = await mesh.authority.write("empty/models.empty", [], { witness: false });
    expect(await runHere(["audit", "search", "--ledger", empty])).toMatchObject({
      code: 0,
      stdout: "0 requests, 0 refused\n",
    });
    expect(await runHere(["audit", "verify", "--ledger", empty])).toMatchObject({ code: 0 });
    expect(await runHere(["evidence", "--ledger", empty])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Nobody asked anything in this period."),
    });
  });

  it("may lie there twice, and is read once", async () => {
    const copy = (audit: string) =>
      cpSync(join(audit, "models.models"), join(audit, "models.models-copy"), { recursive: true });
    const { stdout, stderr } = await mesh.askOffline(copy, "explain", DENIED, ...mesh.auditorArgs);
    expect(stdout).toMatch(/^8R4GK2M9D0Z4XN8B {2}refused/);
    expect(stderr).toMatch(
      /^hedgerow: warning: AUDIT\/models.models and AUDIT\/models.models-copy are the same ledger: the first is read\n/,
    );
  });

  it("may be torn at its end while it is written", async () => {
    const { code, stdout } = await mesh.askOffline(
      (audit) => appendFileSync(segmentFile(audit, 1), "0123"),
      "audit",
      "verify",
      ...mesh.auditorArgs,
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/✓ 2 ledgers/)]);
  });
});
