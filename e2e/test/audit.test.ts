// The audit ledger of a whole mesh: what was answered is in it, what is in it can't be changed unseen.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectError } from "@connectrpc/connect";
import { DECISION_HEADER } from "@hedgerow/proto";
import { afterAll, describe, expect, test } from "vitest";
import { hedgerow } from "../src/mesh/command.ts";
import { ledgerDirectories, readRecords } from "../src/mesh/ledger.ts";
import { classify, predictorClient } from "../src/mesh/predict.ts";
import { until } from "../src/mesh/until.ts";
import { withMesh } from "./with-mesh.ts";

const mesh = withMesh({ audit: "{durability: {fsync: each}}" });
const scratch = mkdtempSync(join(tmpdir(), "hedgerow-audit-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const socket = (): string => join(mesh().mesh.directory, "state/admin.sock");
const audits = (): string => join(mesh().mesh.directory, "run");
const every = () => mesh().mesh.predictors.flatMap(({ name }) => mesh().mesh.records(name));

/** A copy of every ledger of the predictors, to be damaged. */
function copyOfLedgers(name: string): string {
  const copy = join(scratch, name);
  for (const { name: predictor } of mesh().mesh.predictors)
    cpSync(join(audits(), predictor, "audit"), join(copy, predictor), { recursive: true });
  return copy;
}

/** The file and the number of the line that holds a decision. */
function findDecision(
  root: string,
  id: string,
): { readonly file: string; readonly lines: string[]; readonly at: number } {
  for (const predictor of readdirSync(root))
    for (const directory of ledgerDirectories(join(root, predictor)))
      for (const name of readdirSync(directory).filter((entry) => entry.endsWith(".jsonl"))) {
        const file = join(directory, name);
        const lines = readFileSync(file, "utf8").split("\n");
        const at = lines.findIndex((line) => line.includes(`"id":"${id}"`));
        if (at >= 0) return { file, lines, at };
      }
  throw new Error(`no ledger holds ${id}`);
}

describe("what happened is in the ledger", () => {
  test("an answer: who asked what, which rule let it in, how it ended", async () => {
    const { reader, digit } = mesh();
    const { decision } = await classify(predictorClient(reader.localPort), digit);
    const record = every().find((one) => one.type === "decision" && one.id === decision);
    expect(record).toMatchObject({
      type: "decision",
      caller: "spiffe://bank.example/ns/apps/sa/reader",
      protocol: "connect",
      method: "infer",
      model: "digits",
      inputs: [{ name: "image", datatype: "FP32", shape: [1, 784] }],
      access: { policy: "models/digits", rule: "readers" },
      verdict: "allow",
    });
    const outcome = await until("its outcome", 10_000, () =>
      every().find((one) => one.type === "outcome" && one.id === decision),
    );
    expect(outcome).toMatchObject({ result: "answered", status: 200 });
  });

  test("two hundred answers: a decision and an outcome each, no more", async () => {
    const { reader, digits } = mesh();
    const before = every().filter(({ type }) => type === "decision").length;
    const client = predictorClient(reader.localPort);
    const ids = await Promise.all(digits.map(async (digit) => (await classify(client, digit)).decision));
    expect(new Set(ids).size).toBe(digits.length);
    expect(every().filter(({ type }) => type === "decision").length - before).toBe(digits.length);
    const outcomes = await until("every outcome", 10_000, () => {
      const found = every().filter((one) => one.type === "outcome" && ids.includes(one.id));
      return found.length >= ids.length && found;
    });
    expect(outcomes.length).toBe(ids.length);
  });

  test("a refusal by Envoy, under the id that the caller was told", async () => {
    const { stranger, digit } = mesh();
    const told = await classify(predictorClient(stranger.localPort), digit).then(
      () => undefined,
      (error: unknown) => ConnectError.from(error),
    );
    const id = told?.metadata.get(DECISION_HEADER) ?? "";
    const refusal = await until("the refusal", 10_000, () =>
      every().find((one) => one.type === "refusal" && one.request === id),
    );
    expect(refusal).toMatchObject({ caller: "spiffe://bank.example/ns/apps/sa/batch-job", status: 403 });
    const { status, stdout } = await hedgerow("explain", id, "--ledger", audits(), "--socket", socket());
    expect(stdout).toContain("spiffe://bank.example/ns/apps/sa/batch-job");
    expect(status).toBe(0);
  });

  test("what the control plane did: tokens, certificates, policies with their editor", () => {
    const records = ledgerDirectories(join(mesh().mesh.directory, "state/audit")).flatMap(readRecords);
    const types = new Set(records.map(({ type }) => type));
    for (const type of ["certificate.issued", "token.created", "policy.edited"]) expect([...types]).toContain(type);
  });
});

describe("what is in the ledger can't be changed unseen", () => {
  const verify = (root: string) => hedgerow("audit", "verify", "--all", "--ledger", root, "--socket", socket());

  test("untouched, with everything that the witness knows: verified", async () => {
    const { status, stdout, stderr } = await hedgerow(
      "audit",
      "verify",
      "--all",
      "--socket",
      socket(),
      "--ledger",
      audits(),
      "--ledger",
      join(mesh().mesh.directory, "state/audit"),
    );
    expect(`${stdout}${stderr}`).not.toContain("✗");
    expect(status).toBe(0);
  });

  test("one byte changed, one record removed, two swapped: the record is named", async () => {
    const { reader, digits } = mesh();
    const client = predictorClient(reader.localPort);
    const ids: string[] = [];
    for (const digit of digits.slice(0, 20)) ids.push((await classify(client, digit)).decision ?? "");
    const damages: readonly (readonly [string, (lines: string[], at: number) => string[]])[] = [
      ["changed", (lines, at) => lines.with(at, (lines[at] ?? "").replace('"verdict":"allow"', '"verdict":"alloW"'))],
      ["removed", (lines, at) => lines.toSpliced(at, 1)],
      ["swapped", (lines, at) => lines.with(at, lines[at + 1] ?? "").with(at + 1, lines[at] ?? "")],
    ];
    for (const [name, damage] of damages) {
      const root = copyOfLedgers(name);
      const { file, lines, at } = findDecision(root, ids[10] ?? "");
      writeFileSync(file, damage(lines, at).join("\n"));
      const { seq } = JSON.parse((lines[at] ?? "").replace(/^\S+ /, "")) as { seq: number };
      const { status, stdout, stderr } = await verify(root);
      expect(status, name).toBe(1);
      expect(`${stdout}${stderr}`.replaceAll(",", ""), name).toContain(String(seq));
    }
  });

  test("a ledger that is missing, and a tail that was cut behind a checkpoint: found", async () => {
    const missing = copyOfLedgers("missing");
    const [predictor] = mesh().mesh.predictors;
    rmSync(join(missing, predictor?.name ?? ""), { recursive: true });
    expect((await verify(missing)).status).toBe(1);

    const cut = await until("a checkpoint", 40_000, () => {
      const root = copyOfLedgers("cut");
      const [directory] = readdirSync(root).flatMap((name) => ledgerDirectories(join(root, name)));
      return directory !== undefined && readdirSync(directory).includes("checkpoints.jsonl") && { root, directory };
    });
    const file = join(cut.directory, "00000000.jsonl");
    writeFileSync(file, `${readFileSync(file, "utf8").split("\n").slice(0, 2).join("\n")}\n`);
    const { status, stdout } = await verify(cut.root);
    expect(stdout).toContain("✗");
    expect(status).toBe(1);
  });
});
