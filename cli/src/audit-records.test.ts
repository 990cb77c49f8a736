import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AuditedMesh, DENIED } from "./testing/audited-mesh.ts";

let mesh: AuditedMesh;
beforeAll(async () => {
  mesh = await AuditedMesh.start();
});
afterAll(() => mesh[Symbol.dispose]());

describe("hedgerow audit search", () => {
  it("shows what was decided with how it ended, and a repeat as one", async () => {
    const { code, stdout, stderr } = await mesh.ask("audit", "search");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/\n\S+ +7Q3FK2M9D0Z4XN8B +allow +apps\/reader +infer digits@2 +200 gRPC 0\n/);
    expect(stdout).toMatch(/\n\S+ +8R4GK2M9D0Z4XN8B +deny +apps\/batch-job +infer digits@2 +403 gRPC 7 +access\n/);
    expect(stdout).toMatch(
      /\n\S+ +AT6JK2M9D0Z4XN8B +allow +apps\/reader +infer digits@2 +not recorded +repeats 7Q3FK2M9D0Z4XN8B\n/,
    );
    expect(stdout).toMatch(/\n\S+ +r-1 +deny +apps\/batch-job +POST \/v2\/models\/digits\/infer +413 +too_large: /);
    expect(stdout).toMatch(/\n4 requests, 2 refused; 1 repeat\n$/);
  });

  it("narrows, limits, and says what it left out", async () => {
    expect((await mesh.ask("audit", "search", "--verdict", "deny", "--reason", "access")).stdout).toMatch(
      /\n1 request, 1 refused\n$/,
    );
    expect((await mesh.ask("audit", "search", "--limit", "1")).stdout).toMatch(
      /9S5HK2M9D0Z4XN8B.*\n\n1 request, 0 refused; 4 older ones not shown: /s,
    );
    expect((await mesh.ask("audit", "search", "--caller", "none")).stdout).toBe("0 requests, 0 refused\n");
    expect((await mesh.ask("audit", "search", "--type", "policy.edited")).stdout).toMatch(
      /policy\.edited +ada@bank.example +create AccessPolicy\/models\/digits .*\n\n1 other record\n$/s,
    );
  });

  it("prints a JSON object a line for machines", async () => {
    const { stdout } = await mesh.ask("audit", "search", "--decision", "8r4g", "-o", "json");
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([
      {
        ledger: mesh.digits.id,
        node: "models/digits-1",
        policy: "models/models",
        segment: 0,
        record: expect.objectContaining({ id: DENIED, verdict: "deny" }),
        outcome: expect.objectContaining({ status: 403 }),
      },
    ]);
  });

  it.each([
    [["--limit", "x"], /--limit x is no number/],
    [["--verdict", "maybe"], /Allowed choices are allow, deny/],
    [["--from", "soon"], /--from soon is no time/],
  ])("refuses %j", async (args, message) => {
    expect(await mesh.ask("audit", "search", ...args)).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(message),
    });
  });
});

describe("hedgerow audit export", () => {
  it("writes JSON lines and CSV, into a file that only its owner reads", async () => {
    const out = join(mesh.directory, "records.csv");
    expect(await mesh.ask("audit", "export", "--format", "csv", "--out", out)).toMatchObject({
      code: 0,
      stdout: `${out}: 5 records\n`,
      stderr: "",
    });
    expect(readFileSync(out, "utf8").trimEnd().split("\r\n")).toHaveLength(6);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const { stdout } = await mesh.ask("audit", "export", "--verdict", "deny");
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toMatchObject([{ record: { id: DENIED } }, { record: { request: "r-1" } }]);
  });

  it("leaves nothing behind where it can't finish", async () => {
    const out = join(mesh.directory, "no/such/file");
    expect(await mesh.ask("audit", "export", "--out", out)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`could not write ${out}`),
    });
    expect(existsSync(join(mesh.directory, "no"))).toBe(false);
  });
});

describe("hedgerow evidence", () => {
  it("writes a report, and says whether every ledger verifies", async () => {
    const out = join(mesh.directory, "report.html");
    expect(await mesh.ask("evidence", "-o", out)).toMatchObject({
      code: 0,
      stdout: `${out}: 2 ledgers, none damaged\n`,
      stderr: "",
    });
    const page = readFileSync(out, "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    for (const words of [
      "✓ All 2 ledgers are verified",
      "no rule allowed this caller to do this",
      "ada@bank.example",
      "me-central-1",
      "Audit evidence: bank.example",
    ])
      expect(page).toContain(words);
  });

  it("finds a ledger that is missing, and puts it first", async () => {
    const { code, stdout } = await mesh.askOffline(
      (audit) => rmSync(join(audit, "control-plane"), { recursive: true }),
      "evidence",
      ...mesh.auditorArgs,
    );
    expect([code, stdout]).toEqual([1, expect.stringContaining("✗ 1 of 2 ledgers can&#39;t be relied on")]);
  });

  it("says that a format is no file", async () => {
    expect(await mesh.ask("evidence", "-o", "json")).toMatchObject({
      code: 2,
      stderr: "hedgerow: evidence writes HTML: -o names the file, as in -o report.html, not -o json\n",
    });
  });
});

describe("reads", () => {
  it("are recorded with what was asked, but for verification", async () => {
    mesh.reads.length = 0;
    await mesh.ask("audit", "verify");
    await mesh.ask("audit", "search", "--verdict", "deny", "--from", "24h");
    await mesh.ask("audit", "export", "--type", "audit.read");
    await mesh.ask("audit", "prove", DENIED);
    await mesh.ask("explain", "8R4G");
    await mesh.ask("evidence", "--from", "2026-01-01");
    expect(mesh.reads).toEqual([
      "search 2: --from 24h --verdict deny --limit 100",
      "export 2: --type audit.read",
      "prove 2: 8R4GK2M9D0Z4XN8B",
      "explain 2: 8R4G",
      "evidence 2: --from 2026-01-01",
    ]);
  });
});
