import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RecordBody } from "@hedgerow/ledger";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MeshAuthority, type WrittenLedger } from "./testing/mesh-authority.ts";
import { decision, denial, outcome, policyEdit, refusal } from "./testing/records.ts";
import { runHere } from "./testing/run-here.ts";
import { scriptedAdmin } from "./testing/scripted-admin.ts";

const ALLOWED = "7Q3FK2M9D0Z4XN8B";
const DENIED = "8R4GK2M9D0Z4XN8B";
const LAST = "9S5HK2M9D0Z4XN8B";
const bodies: readonly RecordBody[] = [
  decision(ALLOWED, { request: "first" }),
  denial(DENIED),
  outcome(ALLOWED),
  outcome(DENIED, { status: 403, grpcStatus: 7 }),
  decision("AT6JK2M9D0Z4XN8B", { request: "first", repeats: ALLOWED }),
  refusal("r-1"),
  decision(LAST),
];

let directory = "";
let mesh: MeshAuthority;
let digits: WrittenLedger;
const reads: string[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-audit-"));
  mesh = new MeshAuthority(directory);
  // Records 1 to 4 in a closed segment, the others in an open one, the last under no checkpoint.
  digits = await mesh.write("models.models", bodies, { every: 3, roll: [4], uncovered: 1, region: "me-central-1" });
  const node = "hedgerow-system/control-plane-0";
  const spiffe = "spiffe://bank.example/ns/hedgerow-system/sa/control-plane";
  await mesh.write("control-plane", [policyEdit("create")], { identity: { node, spiffe, policy: "control-plane" } });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** As an operator beside the control plane. */
async function ask(...args: string[]) {
  await using admin = await scriptedAdmin({
    listLedgers: ({ after }) => {
      // A page at a time.
      const all = [...mesh.witnessed.values()]
        .toSorted((a, b) => (a.ledger < b.ledger ? -1 : 1))
        .filter(({ ledger }) => ledger > after);
      return { ledgers: all.slice(0, 1), more: all.length > 1, trustBundle: [mesh.rootDer] };
    },
    recordAuditRead: ({ command, query, ledgers }) => {
      reads.push(`${command} ${ledgers.length}: ${query}`);
      return {};
    },
  });
  return await runHere([...args, "--socket", admin.socket], { env: { HEDGEROW_AUDIT: join(directory, "audit") } });
}

/** As an auditor, far from the control plane, with copies that somebody may have edited. */
async function askOffline(edit: (audit: string) => void, ...args: string[]) {
  const copy = mkdtempSync(join(directory, "copy-"));
  const audit = join(copy, "audit");
  cpSync(join(directory, "audit"), audit, { recursive: true });
  edit(audit);
  const ended = await runHere([...args, "--ledger", audit], {
    env: { HEDGEROW_ADMIN_SOCKET: join(copy, "admin.sock") },
  });
  const nameless = (text: string) => text.replaceAll(audit, "AUDIT").replaceAll(copy, "DIR");
  return { code: ended.code, stdout: nameless(ended.stdout), stderr: nameless(ended.stderr) };
}

let witnessFile = "";
const asAuditor = () => ["--roots", mesh.roots, "--witness", witnessFile];
const asIs = () => undefined;
const segment = (audit: string, number = 0) => join(audit, "models.models", `${String(number).padStart(8, "0")}.jsonl`);
const editText = (path: string, change: (text: string) => string) =>
  writeFileSync(path, change(readFileSync(path, "utf8")));
const editLines = (path: string, change: (lines: string[]) => string[]) =>
  editText(path, (text) => `${change(text.trimEnd().split("\n")).join("\n")}\n`);

beforeAll(async () => {
  witnessFile = join(directory, "witness.json");
  expect(await ask("audit", "witness", "--out", witnessFile)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/: 2 ledgers, 1 root\n$/),
  });
});

describe("hedgerow audit verify", () => {
  it("finds nothing wrong where nothing is, and says what the witness does not cover yet", async () => {
    const { code, stdout, stderr } = await ask("audit", "verify", "--all");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^LEDGER +RECORDS +SEGMENTS +CHECKPOINTS +WITNESSED +NOT YET +VERIFIED\n/);
    expect(stdout).toMatch(/\nmodels\/digits-1 \(models\/models\) +10 +2 +2 +\S+ ago +1 +✓ whole\n/);
    expect(stdout).toMatch(/\n✓ 2 ledgers, 12 records, all verified\n$/);
  });

  it("does so for an auditor with copies, roots and what the witness knew", async () => {
    expect(await askOffline(asIs, "audit", "verify", "--all", ...asAuditor())).toMatchObject({ code: 0, stderr: "" });
    const { stdout } = await askOffline(asIs, "audit", "verify", "--all", ...asAuditor(), "-o", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      good: true,
      ledgers: [
        { state: "verified", node: "hedgerow-system/control-plane-0" },
        { ledger: digits.id, records: 10, uncovered: 1, problems: [] },
      ],
      notVerified: [],
    });
  });

  it.each<[what: string, edit: (audit: string) => void, found: RegExp]>([
    [
      "a letter",
      (audit) => editText(segment(audit), (text) => text.replace("apps/sa/batch-job", "apps/sa/batch-jab")),
      /record 2.*\(decision 8R4GK2M9D0Z4XN8B\)/,
    ],
    ["a record that is gone", (audit) => editLines(segment(audit), (lines) => lines.toSpliced(2, 1)), /record 2\b/],
    [
      "records that changed places",
      (audit) => editLines(segment(audit), (lines) => lines.with(1, lines[2] ?? "").with(2, lines[1] ?? "")),
      /record [12]\b/,
    ],
    ["a tail that was cut", (audit) => editLines(segment(audit, 1), (lines) => lines.slice(0, 2)), /record/],
    ["a segment that is gone", (audit) => rmSync(segment(audit)), /segment 0/],
    [
      "a checkpoint that is gone, with the tail",
      (audit) => {
        editLines(segment(audit, 1), (lines) => lines.slice(0, 1));
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
    const { code, stdout } = await askOffline(edit, "audit", "verify", "--all", ...asAuditor());
    expect(stdout).toMatch(found);
    expect(stdout).toMatch(/\n✗ \d of \d ledgers? damaged or missing; /);
    expect(code).toBe(1);
  });

  it("verifies the chain alone without roots, and says what that leaves open", async () => {
    const { code, stdout, stderr } = await askOffline(asIs, "audit", "verify");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/models\/digits-1 \(models\/models\) +10 +2 +2 +never +10 +! chain only\n/);
    expect(stdout).toContain("! not verified: the witness could not be asked: no control plane at DIR/admin.sock");
    expect(stdout).toContain(
      "! not verified: who wrote the ledgers, and whether they were written anew: there are no roots",
    );
    expect(stdout).toMatch(/\n! 2 ledgers, 12 records: nothing is wrong in what could be verified\n$/);
    expect(
      (
        await askOffline(
          (audit) => editText(segment(audit), (text) => text.replace("batch-job", "batch-jab")),
          "audit",
          "verify",
        )
      ).code,
    ).toBe(1);
  });

  it("says that a cut tail is not seen without the witness", async () => {
    const { code, stdout } = await askOffline(asIs, "audit", "verify", "--roots", mesh.roots);
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining("! not verified: whether a ledger is missing or its tail was cut"),
    ]);
    expect(stdout).toContain("! signatures only");
  });

  it("does not trust another mesh's roots", async () => {
    const other = join(directory, "other");
    mkdirSync(other);
    const { roots } = new MeshAuthority(other);
    expect(await askOffline(asIs, "audit", "verify", "--roots", roots, "--witness", witnessFile)).toMatchObject({
      code: 1,
    });
  });

  it("needs the witness to find what is missing", async () => {
    expect(await askOffline(asIs, "audit", "verify", "--all", "--roots", mesh.roots)).toMatchObject({
      code: 3,
      stdout: "",
      stderr: expect.stringMatching(
        /^hedgerow: --all needs to know which ledgers there are, and the witness could not be asked: no control plane at /,
      ),
    });
  });

  it("fails where the control plane that was named does not answer", async () => {
    expect(
      await runHere(["audit", "verify", "--socket", join(directory, "no.sock"), "--ledger", digits.directory]),
    ).toMatchObject({ code: 3 });
  });

  it.each([
    [
      "no directory",
      () => join(directory, "nowhere"),
      /^hedgerow: could not read .*nowhere: no such file or directory; name a directory of ledgers with --ledger DIR/,
    ],
    ["a file", () => mesh.roots, /is no directory of ledgers/],
    ["no ledger in it", () => join(directory, "certified-1"), /^hedgerow: no ledger in or below /],
  ])("ends with 2 where there is %s", async (_, place, message) => {
    expect(await runHere(["audit", "verify", "--ledger", place()])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(message),
    });
  });
});

describe("hedgerow audit search", () => {
  it("shows what was decided with how it ended, and a repeat as one", async () => {
    const { code, stdout, stderr } = await ask("audit", "search");
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
    expect((await ask("audit", "search", "--verdict", "deny", "--reason", "access")).stdout).toMatch(
      /\n1 request, 1 refused\n$/,
    );
    expect((await ask("audit", "search", "--limit", "1")).stdout).toMatch(
      /9S5HK2M9D0Z4XN8B.*\n\n1 request, 0 refused; 4 older ones not shown: /s,
    );
    expect((await ask("audit", "search", "--caller", "none")).stdout).toBe("0 requests, 0 refused\n");
    expect((await ask("audit", "search", "--type", "policy.edited")).stdout).toMatch(
      /policy\.edited +ada@bank.example +create AccessPolicy\/models\/digits .*\n\n1 other record\n$/s,
    );
  });

  it("prints a JSON object a line for machines", async () => {
    const { stdout } = await ask("audit", "search", "--decision", "8r4g", "-o", "json");
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(lines).toEqual([
      {
        ledger: digits.id,
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
    expect(await ask("audit", "search", ...args)).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(message),
    });
  });
});

describe("hedgerow explain", () => {
  it("answers who, what, why and how it ended, and whether the record verifies", async () => {
    const { code, stdout, stderr } = await ask("explain", "8r4g");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout.replace(/\d{4}-\S+Z/g, "TIME")).toBe(`8R4GK2M9D0Z4XN8B  refused with 403
when     TIME
who      apps/batch-job (spiffe://bank.example/ns/apps/sa/batch-job)
what     infer digits@2 over grpc, 3,137 bytes
         image FP32 [1,1,28,28]
why      no rule of AccessPolicy models/digits (generation 3) allows it
ended    answered 403, gRPC status 7 after 4 ms
request  request-8R4GK2M9D0Z4XN8B
where    record 2 of models/digits-1's ledger ${digits.id}, segment 0
         ${digits.directory}
✓ verified: the record stands in the ledger as its workload signed it at TIME, countersigned by the witness at TIME
`);
  });

  it("shows the attempts of a request together, by whichever id", async () => {
    for (const id of [ALLOWED, "7Q3F", "first"])
      expect((await ask("explain", id)).stdout).toMatch(
        /^7Q3FK2M9D0Z4XN8B {2}let through\n.*\nalso +repeated as AT6JK2M9D0Z4XN8B at models\/digits-1, .*: allow\n/s,
      );
    expect((await ask("explain", "AT6J")).stdout).toMatch(/^AT6JK2M9D0Z4XN8B/);
  });

  it("knows what Envoy refused by itself, by the request id that the caller was told", async () => {
    const { code, stdout } = await ask("explain", "r-1");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^r-1 {2}refused with 413\n/);
    expect(stdout).toContain(
      "why      the request was larger than the service takes\n         the proxy refused it by itself (request_payload_too_large); the model never saw it\n",
    );
  });

  it("says that a record is too new to be verified", async () => {
    expect(await ask("explain", LAST)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/\n! no checkpoint covers this record yet: /),
    });
  });

  it("says that a record was altered", async () => {
    const alter = (audit: string) =>
      editText(segment(audit), (text) =>
        text.replace('"status":403,"reason":"access"', '"status":403,"reason":"overload"'),
      );
    const { code, stdout } = await askOffline(alter, "explain", "8R4G", ...asAuditor());
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/\n✗ the record does not verify: .*; `hedgerow audit verify` names what was altered\n$/),
    ]);
  });

  it("says that it verified nothing without roots, and that the read is not recorded without a control plane", async () => {
    const { code, stdout, stderr } = await askOffline(asIs, "explain", "8R4G");
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/\n! the record was not verified: the witness could not be asked: /),
    ]);
    expect(stderr).toMatch(/^hedgerow: this read was not recorded: no control plane at DIR\/admin.sock.*\n$/);
  });

  it("finds none, and several, and says so", async () => {
    expect(await ask("explain", "ZZZZ")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^hedgerow: no decision or request ZZZZ in these ledgers: /),
    });
    expect(await ask("explain", "7Q")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("give at least the first 4 characters"),
    });
    const another = decision("7Q3FZZZZZZZZZZZZ");
    await mesh.write("../several/models.models", [another], { witness: false });
    const ended = await runHere([
      "explain",
      "7Q3F",
      "--ledger",
      join(directory, "several"),
      "--ledger",
      digits.directory,
    ]);
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/hedgerow: 2 requests begin with 7Q3F: 7Q3FZZZZZZZZZZZZ \(.*\); 7Q3FK2M9D0Z4XN8B /),
    });
  });

  it("has a stable shape for machines", async () => {
    expect(JSON.parse((await ask("explain", DENIED, "-o", "json")).stdout)).toMatchObject({
      kind: "decision",
      id: DENIED,
      verdict: "deny",
      status: 403,
      reason: "access",
      model: "digits",
      version: "2",
      outcome: { status: 403 },
      recorded: { ledger: digits.id, segment: 0, seq: 2 },
      check: { state: "witnessed" },
      record: { type: "decision" },
    });
  });
});

describe("hedgerow audit prove", () => {
  const proofOf = async (id: string) => {
    const { code, stdout, stderr } = await ask("audit", "prove", id);
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  };
  const verifyProof = (stdin: string, roots = mesh.roots) =>
    runHere(["audit", "verify", "--proof", "-", "--roots", roots], { stdin });

  it.each([
    ["in a closed segment, by its Merkle tree", DENIED, true],
    ["in an open segment, by the chain", "r-1", false],
  ])("proves a record %s", async (_, id, hasInclusion) => {
    const proof = await proofOf(id);
    expect(Object.hasOwn(JSON.parse(proof), "inclusion")).toBe(hasInclusion);
    const { code, stdout } = await verifyProof(proof);
    expect(stdout).toMatch(
      new RegExp(
        `^✓ record \\d of ledger ${digits.id} of models/digits-1, signed at .*Z\n✓ countersigned by the witness at .*Z\n {2}\\S+Z {2}deny {2}apps/batch-job {2}`,
      ),
    );
    expect(code).toBe(0);
    // Nothing of other records but hashes.
    expect(proof).not.toContain(ALLOWED);
  });

  it("does not hold once anything is altered, or under other roots", async () => {
    const proof = await proofOf(DENIED);
    for (const altered of [
      proof.replace("batch-job", "batch-jab"),
      proof.replace(/"previous": "./, '"previous": "0'),
      proof.replace(/"index": \d/, '"index": 1'),
    ])
      expect(await verifyProof(altered)).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/^✗ the proof does not hold: /),
      });
    const other = join(directory, "others");
    mkdirSync(other);
    expect(await verifyProof(proof, new MeshAuthority(other).roots)).toMatchObject({ code: 1 });
  });

  it("says to wait where no checkpoint covers the record yet", async () => {
    expect(await ask("audit", "prove", LAST)).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/no checkpoint covers record 9 .* try again\n$/),
    });
  });

  it.each(["", "{}", "[]", '{"format":"hedgerow-proof/1"}', "\u0000"])("takes %j for no proof", async (text) => {
    expect(await verifyProof(text)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^hedgerow: <stdin> (is no proof|holds no JSON)/),
    });
  });

  it("needs roots", async () => {
    const env = { HEDGEROW_ADMIN_SOCKET: join(directory, "no.sock") };
    expect(await runHere(["audit", "verify", "--proof", "-"], { stdin: await proofOf(DENIED), env })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("give them with --roots FILE"),
    });
  });
});

describe("hedgerow audit export", () => {
  it("writes JSON lines and CSV, into a file that only its owner reads", async () => {
    const out = join(directory, "records.csv");
    expect(await ask("audit", "export", "--format", "csv", "--out", out)).toMatchObject({
      code: 0,
      stdout: `${out}: 5 records\n`,
      stderr: "",
    });
    expect(readFileSync(out, "utf8").trimEnd().split("\r\n")).toHaveLength(6);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const { stdout } = await ask("audit", "export", "--verdict", "deny");
    expect(
      stdout
        .trimEnd()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toMatchObject([{ record: { id: DENIED } }, { record: { request: "r-1" } }]);
  });

  it("leaves nothing behind where it can't finish", async () => {
    const out = join(directory, "no/such/file");
    expect(await ask("audit", "export", "--out", out)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`could not write ${out}`),
    });
    expect(existsSync(join(directory, "no"))).toBe(false);
  });
});

describe("an encrypted ledger", () => {
  const key = Buffer.alloc(32, 7);
  let sealed: WrittenLedger;
  const keyFile = (name: string, content: Buffer | string) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const read = (...args: string[]) =>
    runHere([...args, "--ledger", sealed.directory, "--roots", mesh.roots], {
      env: { HEDGEROW_ADMIN_SOCKET: join(directory, "no.sock") },
    });
  const readOnly = (...args: string[]) => runHere([...args, "--ledger", sealed.directory]);
  beforeAll(async () => {
    sealed = await mesh.write("../sealed/models.sealed", bodies, { key, witness: false });
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

describe("hedgerow evidence", () => {
  it("writes a report, and says whether every ledger verifies", async () => {
    const out = join(directory, "report.html");
    expect(await ask("evidence", "-o", out)).toMatchObject({
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
    const { code, stdout } = await askOffline(
      (audit) => rmSync(join(audit, "control-plane"), { recursive: true }),
      "evidence",
      ...asAuditor(),
    );
    expect([code, stdout]).toEqual([1, expect.stringContaining("✗ 1 of 2 ledgers can&#39;t be relied on")]);
  });

  it("says that a format is no file", async () => {
    expect(await ask("evidence", "-o", "json")).toMatchObject({
      code: 2,
      stderr: "hedgerow: evidence writes HTML: -o names the file, as in -o report.html, not -o json\n",
    });
  });
});

describe("reads", () => {
  it("are recorded with what was asked, but for verification", async () => {
    reads.length = 0;
    await ask("audit", "verify");
    await ask("audit", "search", "--verdict", "deny", "--from", "24h");
    await ask("audit", "export", "--type", "audit.read");
    await ask("audit", "prove", DENIED);
    await ask("explain", "8R4G");
    await ask("evidence", "--from", "2026-01-01");
    expect(reads).toEqual([
      "search 2: --from 24h --verdict deny --limit 100",
      "export 2: --type audit.read",
      "prove 2: 8R4GK2M9D0Z4XN8B",
      "explain 2: 8R4G",
      "evidence 2: --from 2026-01-01",
    ]);
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
    const { directory: ledger } = await mesh.write(
      "../evil/models.evil",
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
      if (args.includes("csv")) expect(stdout).not.toMatch(/(^|,|\n)"?\s*=cmd/);
      if (args[0] === "evidence") expect(stdout).not.toContain("<script");
    }
  });

  it("may be very much, and nothing", async () => {
    const many = Array.from({ length: 20_000 }, (_, index) => decision(`M${String(index).padStart(15, "0")}`));
    const { directory: ledger } = await mesh.write("../many/models.many", many, { witness: false });
    const { stdout } = await runHere(["audit", "search", "--ledger", ledger, "--limit", "3"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(6);
    expect(stdout).toMatch(/\n3 requests, 0 refused; 19,997 older ones not shown: /);
    const { directory: empty } = await mesh.write("../empty/models.empty", [], { witness: false });
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
    const { stdout, stderr } = await askOffline(copy, "explain", DENIED, ...asAuditor());
    expect(stdout).toMatch(/^8R4GK2M9D0Z4XN8B {2}refused/);
    expect(stderr).toMatch(
      /^hedgerow: warning: AUDIT\/models.models and AUDIT\/models.models-copy are the same ledger: the first is read\n/,
    );
  });

  it("may be torn at its end while it is written", async () => {
    const { code, stdout } = await askOffline(
      (audit) => appendFileSync(segment(audit, 1), "0123"),
      "audit",
      "verify",
      ...asAuditor(),
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(/✓ 2 ledgers/)]);
  });
});
