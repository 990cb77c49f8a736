// The control plane's own ledger: what it did, and what it does when that can't be written.
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Code } from "@connectrpc/connect";
import { type LedgerRecord, parseLine } from "@hedgerow/ledger";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ControlPlaneDirectory, ControlPlaneProcess, TestAgent } from "./control-plane-process.ts";
import { testCsr } from "./csr.ts";
import { until } from "./until.ts";

const workload = (name: string, address = "127.0.0.1") => `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}, namespace: models}
spec: {serviceAccount: digits, address: ${address}}
`;
const mesh = `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: bank.example}
`;
const hasPrlimit = spawnSync("prlimit", ["--version"]).status === 0;

let open: AsyncDisposableStack;
let directory: ControlPlaneDirectory;
let controlPlane: ControlPlaneProcess;

beforeEach(async () => {
  open = new AsyncDisposableStack();
  directory = open.use(new ControlPlaneDirectory({ "mesh.yaml": mesh, "a.yaml": workload("a") }));
  controlPlane = open.use(new ControlPlaneProcess(directory));
  await controlPlane.address("mesh");
});
afterEach(() => open.disposeAsync());

const path = () => join(directory.state, "audit", "control-plane");

function records(): readonly LedgerRecord[] {
  const segments = readdirSync(path()).filter((name) => /^[0-9]{8}\.jsonl$/.test(name));
  return segments.sort().flatMap((name) =>
    readFileSync(join(path(), name), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line.slice(line.indexOf(" ") + 1))),
  );
}
const ofType = <Type extends LedgerRecord["type"]>(type: Type) =>
  records().filter((record): record is Extract<LedgerRecord, { type: Type }> => record.type === type);
const edits = (name: string) => ofType("policy.edited").filter((edit) => edit.name === name);

async function restart(): Promise<void> {
  expect(await controlPlane.stop()).toBe(0);
  controlPlane = open.use(new ControlPlaneProcess(directory));
  await controlPlane.address("mesh");
}

test("certificates, tokens and reads are recorded before they are answered", async () => {
  const { token } = await controlPlane.admin.createToken({ nodeId: "models/a", reusable: true });
  expect(ofType("token.created")).toMatchObject([
    { node: "models/a", token: decodeJwt(token).jti, reusable: true, by: "admin socket" },
  ]);
  using agent = await TestAgent.enroll(controlPlane, "models/a", token);
  await agent.renew(controlPlane);
  await controlPlane.admin.createAdminCertificate({ csr: testCsr(), name: "ada", role: "viewer" });
  const certificates = ofType("certificate.issued");
  const uses = certificates.map(({ use, spiffe, node }) => [use, spiffe, node]);
  expect(uses.sort(([one = ""], [other = ""]) => one.localeCompare(other))).toEqual([
    ["admin", "spiffe://bank.example/admin/viewer/ada", undefined],
    ["serving", "spiffe://bank.example/ns/hedgerow-system/sa/control-plane", undefined],
    ["svid", "spiffe://bank.example/ns/models/sa/digits", "models/a"],
    ["svid", "spiffe://bank.example/ns/models/sa/digits", "models/a"],
  ]);
  expect(new Set(certificates.map(({ serial }) => serial)).size).toBe(4);
  const [own] = (await controlPlane.admin.listLedgers({})).ledgers;
  await controlPlane.admin.recordAuditRead({ command: "verify", ledgers: [own?.ledger ?? ""] });
  expect(ofType("audit.read")).toMatchObject([{ command: "verify", by: "admin socket", ledgers: [own?.ledger] }]);
  expect(ofType("segment.opened")).toMatchObject([
    { ledger: own?.ledger, node: "hedgerow-system/control-plane", policy: "control-plane" },
  ]);
  expect(JSON.stringify(records())).not.toContain(token);
});

test("edits of the directory are recorded: who, where, what, and why one was refused", async () => {
  const by = `uid ${process.getuid?.()} (file owner)`;
  await until("the first edits", () => (edits("a").length === 1 ? true : undefined));
  expect(edits("a")).toMatchObject([
    {
      operation: "create",
      kind: "Workload",
      namespace: "models",
      by,
      where: "a.yaml:1",
      spec: { address: "127.0.0.1" },
    },
  ]);
  directory.write("b.yaml", `${workload("b")}---\n${workload("c")}`);
  await until("b and c", () => (edits("c").length === 1 ? true : undefined));
  expect(edits("c")).toMatchObject([{ where: "b.yaml:6" }]);
  directory.write("a.yaml", workload("a", "127.0.0.2"));
  await until("an update", () => (edits("a").length === 2 ? true : undefined));
  expect(edits("a")[1]).toMatchObject({ operation: "update", generation: 2, spec: { address: "127.0.0.2" } });
  directory.write("a.yaml", workload("a", "nowhere at all"));
  await until("a refusal", () => (edits("a").length === 3 ? true : undefined));
  expect(edits("a")[2]).toMatchObject({ operation: "refused", by, problem: expect.stringContaining("address") });
  rmSync(join(directory.path, "manifests", "b.yaml"));
  await until("deletions", () => (edits("c").length === 2 ? true : undefined));
  expect(edits("b")[1]).toMatchObject({ operation: "delete", by: "unknown (it is gone)" });
});

test("a restart continues the ledger, and records edits that came meanwhile, once", async () => {
  await until("the first edits", () => (edits("a").length === 1 ? true : undefined));
  await restart();
  await controlPlane.stop();
  directory.write("b.yaml", workload("b"));
  controlPlane = open.use(new ControlPlaneProcess(directory));
  await until("the edit", () => (edits("b").length === 1 ? true : undefined));
  await restart();
  expect([edits("a").length, edits("b").length, edits("mesh").length]).toEqual([1, 1, 1]);
  const seqs = records().map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.map((_, index) => index));
  const [own, ...others] = (await controlPlane.admin.listLedgers({})).ledgers;
  expect([own?.policy, others]).toEqual(["control-plane", []]);
});

describe.skipIf(!hasPrlimit)("where the ledger can't be written", () => {
  /** A file that may not grow refuses as a full disk does. */
  const limit = (bytes: string) => execFileSync("prlimit", ["--pid", String(controlPlane.pid), `--fsize=${bytes}`]);

  test("no token and no admin certificate is handed out, SVIDs are, and the ledger says how many", async () => {
    const { token } = await controlPlane.admin.createToken({ nodeId: "models/a", reusable: true });
    await until("the first edits", () => (edits("a").length === 1 ? true : undefined));
    limit("1:unlimited");
    const unwritable = { code: Code.Unavailable, rawMessage: expect.stringContaining("can't be written") };
    await expect(controlPlane.admin.createToken({ nodeId: "models/a", reusable: true })).rejects.toMatchObject(
      unwritable,
    );
    const request = { csr: testCsr(), name: "ada", role: "viewer" };
    await expect(controlPlane.admin.createAdminCertificate(request)).rejects.toMatchObject(unwritable);
    await expect(controlPlane.admin.recordAuditRead({ command: "verify" })).rejects.toMatchObject(unwritable);
    for (let count = 0; count < 3; count++) (await TestAgent.enroll(controlPlane, "models/a", token))[Symbol.dispose]();
    const metrics = await (await fetch(`http://${await controlPlane.address("metrics")}/metrics`)).text();
    expect(metrics).toContain('hedgerow_audit_records_total{outcome="missing"} 3');
    expect(metrics).toContain('hedgerow_audit_records_total{outcome="refused"} 3');
    expect(metrics).toContain("hedgerow_audit_writable 0");
    limit("unlimited");
    await until("the ledger can be written", async () => {
      const answer = controlPlane.admin.createAdminCertificate(request).then(() => true);
      return await answer.catch(() => undefined);
    });
    expect(ofType("records.missing")).toMatchObject([{ requests: 3, reason: "disk_full" }]);
    expect(ofType("certificate.issued").filter(({ use }) => use === "svid")).toEqual([]);
  });

  test("from the start, the mesh starts all the same, and the ledger is opened later", async () => {
    await controlPlane.stop();
    const audit = join(directory.path, "audit");
    writeFileSync(audit, "no directory");
    controlPlane = open.use(new ControlPlaneProcess(directory, { HEDGEROW_AUDIT: audit }));
    await controlPlane.address("mesh");
    await expect(controlPlane.admin.createToken({ nodeId: "models/a" })).rejects.toMatchObject({
      code: Code.Unavailable,
      rawMessage: expect.stringContaining("no token was handed out"),
    });
    rmSync(audit);
    await until("the ledger is opened", async () => {
      const answer = controlPlane.admin.createToken({ nodeId: "models/a" }).then(({ token }) => token);
      return await answer.catch(() => undefined);
    });
  });
});

test("each line holds the head of a chain", async () => {
  await controlPlane.admin.createToken({ nodeId: "models/a" });
  const [first] = readFileSync(join(path(), "00000000.jsonl"), "utf8").split("\n");
  expect(parseLine(Buffer.from(first ?? ""))).toBeDefined();
});
