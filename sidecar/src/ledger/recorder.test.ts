import { generateKeyPairSync, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Decision, RecordBody } from "@hedgerow/ledger";
import { isSealed, type LedgerRecord } from "@hedgerow/ledger";
import { readRecords } from "@hedgerow/ledger/store";
import { type AuditLedger, AuditLedgerSchema, FailMode } from "@hedgerow/proto/hedgerow/agent/v1/inspection";
import { compactDecrypt } from "jose";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../test/until.ts";
import { openRecorder, type Recorder, type RecorderDeps } from "./recorder.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-recorder-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const SPIFFE = "spiffe://bank.example/ns/models/sa/web";

type Settings = Exclude<MessageInitShape<typeof AuditLedgerSchema>, AuditLedger>;

const policy = (more: Settings = {}): AuditLedger =>
  create(AuditLedgerSchema, {
    name: "models/main",
    failMode: FailMode.CLOSED,
    durability: { each: true },
    retention: { class: "standard", keep: { seconds: 86_400n } },
    ...more,
  });

const deps = (more: Partial<RecorderDeps> = {}): RecorderDeps => ({
  directory: join(directory, "audit"),
  secretsDirectory: join(directory, "secrets"),
  identity: { nodeId: "models/web-0", spiffeId: SPIFFE },
  region: "eu-1",
  // Nobody is there: checkpoints wait.
  meshAddress: "127.0.0.1:9",
  now: Date.now,
  random: () => 0,
  logger: pino({ level: "silent" }),
  ...more,
});

async function open(config: AuditLedger = policy(), more: Partial<RecorderDeps> = {}): Promise<Recorder> {
  const opened = await openRecorder(config, deps(more));
  if (!opened.ok) throw new Error(opened.problems.join("; "));
  return opened.value;
}

async function problems(config: AuditLedger, more: Partial<RecorderDeps> = {}): Promise<readonly string[]> {
  const opened = await openRecorder(config, deps(more));
  if (!opened.ok) return opened.problems;
  await opened.value.close();
  return [];
}

function secret(name: string, values: Readonly<Record<string, string | Buffer>>): void {
  mkdirSync(join(directory, "secrets", name), { recursive: true });
  for (const [key, value] of Object.entries(values)) writeFileSync(join(directory, "secrets", name, key), value);
}

const ledgerDirectory = () => join(directory, "audit", "models.main");

async function recorded(keys: readonly Buffer[] = []): Promise<readonly LedgerRecord[]> {
  const all: LedgerRecord[] = [];
  for await (const batch of readRecords(ledgerDirectory(), { keyEncryptionKeys: keys })) {
    for (const { record } of batch) if (record !== undefined && !isSealed(record)) all.push(record);
  }
  return all;
}

const types = async (keys?: readonly Buffer[]) => (await recorded(keys)).map(({ type }) => type);

const decision = (number: number): Decision => ({
  type: "decision",
  id: String(number).padStart(16, "0"),
  port: 8080,
  protocol: "grpc",
  method: "infer",
  access: { policy: "models/callers" },
  verdict: "allow",
  bodyBytes: 10,
});
const outcome = (number: number): RecordBody => ({
  type: "outcome",
  id: decision(number).id,
  result: "answered",
  status: 200,
});

describe("a ledger that can't be opened", () => {
  test("says all that is wrong with its secrets, and nothing of what is in them", async () => {
    secret("short", { key: "hunter2" });
    secret("private", {
      jwk: JSON.stringify(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" })),
    });
    secret("s3", { accessKeyId: "AKIA" });
    const config = policy({
      digestSecret: "absent",
      encryptionSecret: "short",
      payload: { perMillion: 1, maxBytes: 1024n, recipientSecret: "private" },
      sinks: [
        { name: "vault", region: "eu", target: { case: "s3", value: { bucket: "b", credentialsSecret: "s3" } } },
        { name: "../x", target: { case: "file", value: { path: "/tmp" } } },
      ],
    });
    const found = (await problems(config)).map((problem) => problem.replaceAll(directory, "DIR"));
    expect(found).toEqual([
      "AuditPolicy models/main: secret absent: ENOENT: no such file or directory, open 'DIR/secrets/absent/key'",
      "AuditPolicy models/main: secret short: key is no key of 32 bytes, as it is, in base64 or in hexadecimal",
      "AuditPolicy models/main: secret private: JWK is a private key: only the public one belongs here",
      "AuditPolicy models/main: sink vault: secret s3: ENOENT: no such file or directory, open 'DIR/secrets/s3/secretAccessKey'",
      "AuditPolicy models/main: sink ../x: its name is none",
    ]);
  });

  test.each([
    [
      "a name that leads elsewhere",
      policy({ name: "../../etc" }),
      {},
      'AuditPolicy ../../etc: "../../etc" is no NAMESPACE/NAME',
    ],
    [
      "a secret that leads elsewhere",
      policy({ digestSecret: "../x" }),
      {},
      "AuditPolicy models/main: secret ../x: its name is none",
    ],
    [
      "no directory of secrets",
      policy({ digestSecret: "x" }),
      { secretsDirectory: undefined },
      "AuditPolicy models/main: secret x: HEDGEROW_SECRETS is not set",
    ],
    [
      "no SVID and no ledger",
      policy(),
      { identity: { nodeId: "models/web-0", spiffeId: undefined } },
      "AuditPolicy models/main: a ledger is begun once there is an SVID to say whose it is",
    ],
  ])("%s", async (_, config, more, problem) => {
    expect(await problems(config, more)).toEqual([problem]);
  });

  test("a directory that is a file", async () => {
    writeFileSync(join(directory, "audit"), "");
    expect(await problems(policy())).toEqual([expect.stringContaining("AuditPolicy models/main: ")]);
  });
});

describe("a ledger", () => {
  test("holds what was recorded, is gone on with, and says whose it is before there is an SVID", async () => {
    const first = await open();
    await first.record(decision(1));
    const { digestKey } = first;
    await first.close();
    const second = await open(policy(), { identity: { nodeId: "models/web-0", spiffeId: undefined } });
    await second.record(decision(2));
    expect(second.digestKey.equals(digestKey)).toBe(true);
    await second.close();
    expect(await types()).toEqual(["segment.opened", "decision", "decision"]);
    expect(await recorded()).toMatchObject([{ node: "models/web-0", spiffe: SPIFFE, region: "eu-1" }, {}, {}]);
  });

  test("takes keys as bytes, base64 and hexadecimal", async () => {
    const key = randomBytes(32);
    secret("raw", { key });
    secret("base64", { key: `${key.toString("base64")}\n` });
    secret("hex", { key: `${key.toString("hex")}\n` });
    for (const digestSecret of ["raw", "base64", "hex"]) {
      await using recorder = await open(policy({ digestSecret }));
      expect(recorder.digestKey.equals(key)).toBe(true);
    }
  });

  test("whose encryption key was exchanged for another is not opened, says so, and is gone on with once the key is back", async () => {
    const kek = randomBytes(32);
    secret("kek", { key: kek });
    const encrypted = policy({ encryptionSecret: "kek" });
    const first = await open(encrypted);
    await first.record(decision(1));
    await first.close();
    secret("kek", { key: randomBytes(32) });
    expect(await problems(encrypted)).toEqual([
      expect.stringMatching(/^AuditPolicy models\/main: data key \w+ does not open/),
    ]);
    secret("kek", { key: kek });
    const second = await open(encrypted);
    secret("kek2", { key: randomBytes(32) });
    expect(await second.update(policy({ encryptionSecret: "kek2" }), "eu-1")).toEqual([]);
    await second.close();
    await using third = await open(policy({ encryptionSecret: "kek2" }));
    await third.record(decision(2));
    expect(readdirSync(join(directory, "audit"))).toEqual(["models.main"]);
  });

  test("samples payloads for its auditor alone", async () => {
    const auditor = generateKeyPairSync("ec", { namedCurve: "P-256" });
    secret("auditor", { jwk: JSON.stringify(auditor.publicKey.export({ format: "jwk" })) });
    let drawn = 0.4;
    const payload = { perMillion: 500_000, maxBytes: 4n, recipientSecret: "auditor" };
    await using recorder = await open(policy({ payload }), { random: () => drawn });
    const sampled = recorder.payloadFor(Buffer.from("patient 7")) ?? "";
    expect(Buffer.from((await compactDecrypt(sampled, auditor.privateKey)).plaintext).toString()).toBe("pati");
    drawn = 0.5;
    expect(recorder.payloadFor(Buffer.from("patient 7"))).toBeUndefined();
  });

  test("says how many were answered without a record", async () => {
    await using recorder = await open(policy({ failMode: FailMode.OPEN }));
    expect(recorder.failMode).toBe("open");
    for (let count = 0; count < 3; count += 1) recorder.missed("disk_full");
    await until("recorded", async () => (await types()).includes("records.missing"));
    expect(await recorded()).toMatchObject([{}, { type: "records.missing", requests: 3, reason: "disk_full" }]);
    expect(recorder.stats().missed).toBe(3);
  });

  test("takes over other settings, and encryption, while it is written", async () => {
    const kek = randomBytes(32);
    secret("kek", { key: kek });
    await using recorder = await open();
    await recorder.record(decision(1));
    const writing = Array.from({ length: 50 }, (_, index) => recorder.record(decision(10 + index)));
    expect(await recorder.update(policy({ encryptionSecret: "kek", failMode: FailMode.OPEN }), "eu-2")).toEqual([]);
    await Promise.all(writing);
    expect(recorder.failMode).toBe("open");
    await recorder.record(decision(2));
    expect(await recorder.update(policy({ encryptionSecret: "absent" }), "eu-2")).toHaveLength(1);
    await recorder.record(decision(3));
    await recorder.close();
    const decisions = (await recorded([kek])).filter(({ type }) => type === "decision");
    expect(decisions).toHaveLength(53);
    expect((await types()).filter((type) => type === "decision")).toHaveLength(51);
    expect(readdirSync(join(ledgerDirectory(), "keys"))).not.toHaveLength(0);
  });
});

describe("a ledger that can't be written another way", () => {
  test("goes on as it was", async () => {
    secret("kek", { key: randomBytes(32) });
    await using recorder = await open();
    await recorder.record(decision(1));
    writeFileSync(join(ledgerDirectory(), "keys"), "a file, no directory");
    expect(await recorder.update(policy({ encryptionSecret: "kek" }), "eu-1")).toHaveLength(1);
    await recorder.record(decision(2));
    expect((await types()).filter((type) => type === "decision")).toHaveLength(2);
  });

  test("waits for no outcome of what it refused", async () => {
    const recorder = await open();
    await recorder.close();
    await expect(recorder.record(decision(1))).rejects.toMatchObject({ code: "closed" });
    expect(recorder.stats().pending).toBe(0);
  });
});

describe("a required sink", () => {
  const sinks = (path: string) => [
    { name: "share", required: true, target: { case: "file" as const, value: { path } } },
  ];

  test("has a record before it counts as recorded", async () => {
    const share = join(directory, "share");
    await using recorder = await open(policy({ sinks: sinks(share) }));
    await recorder.record(decision(1));
    const [ledger = ""] = readdirSync(share);
    expect(readFileSync(join(share, ledger, "00000000.jsonl"), "utf8")).toBe(
      readFileSync(join(ledgerDirectory(), "00000000.jsonl"), "utf8"),
    );
  });

  test("that is dead refuses, and the ledger holds no decision that never was; another takes its place", async () => {
    const share = join(directory, "share");
    writeFileSync(share, "a file, no directory");
    await using recorder = await open(policy({ sinks: sinks(share) }));
    await until("it fails", async () => {
      return await recorder.record(decision(1)).then(
        () => false,
        (error: unknown) => error instanceof Error && "code" in error && error.code === "sink_unavailable",
      );
    });
    const before = await types();
    await expect(recorder.record(decision(2))).rejects.toMatchObject({ code: "sink_unavailable" });
    expect(await types()).toEqual(before);
    expect(recorder.stats().sinks).toMatchObject([{ name: "share", required: true }]);
    rmSync(share);
    expect(await recorder.update(policy({ sinks: sinks(join(directory, "other")) }), "eu-1")).toEqual([]);
    await until("recorded", async () => {
      return await recorder.record(decision(3)).then(
        () => true,
        () => false,
      );
    });
  });
});

describe("outcomes", () => {
  test("are awaited of each decision, also by the next agent, which knows what was recorded", async () => {
    const first = await open();
    for (const number of [1, 2, 3]) await first.record(decision(number));
    await first.outcomes.append(outcome(2));
    expect(first.stats().pending).toBe(2);
    await first.close();
    await using second = await open();
    expect(second.stats().pending).toBe(2);
    expect([1, 2, 3].map((number) => second.outcomes.hasLine(decision(number).id))).toEqual([false, true, false]);
    await second.outcomes.envoyEnded(Date.now() + 1);
    expect(second.stats().pending).toBe(0);
    expect((await recorded()).slice(-2)).toMatchObject([
      { type: "outcome", id: decision(1).id, result: "unknown" },
      { type: "outcome", id: decision(3).id, result: "unknown" },
    ]);
  });

  test("of an encrypted ledger, too", async () => {
    secret("kek", { key: randomBytes(32) });
    const config = policy({ encryptionSecret: "kek" });
    const first = await open(config);
    await first.record(decision(1));
    await first.close();
    await using second = await open(config);
    expect(second.stats().pending).toBe(1);
  });
});
