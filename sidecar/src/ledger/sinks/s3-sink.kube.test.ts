// Needs an S3 server that is built with Go; no cluster.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger } from "@hedgerow/ledger/store";
import { sign } from "aws4";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { startS3Server, type TestS3Server } from "../../../../scripts/testing/s3-server.js";
import { until } from "../../../test/until.ts";
import { type S3Options, S3Sink } from "./s3-sink.ts";
import { Shipper } from "./shipper.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

let server: TestS3Server;
let bucket: string;
let count = 0;
beforeAll(async () => {
  server = await startS3Server();
});
afterAll(async () => await server[Symbol.asyncDispose]());
beforeEach(async () => {
  count += 1;
  bucket = `audit-${count}`;
  const { status, body } = await call("PUT", "", { "x-amz-bucket-object-lock-enabled": "true" });
  if (status !== 200) throw new Error(`make a bucket: ${status} ${body}`);
});

/** As the owner of the bucket, by a client of its own. */
async function call(method: string, key: string, headers: Record<string, string> = {}) {
  const { accessKeyId, secretAccessKey, region, endpoint } = server;
  const { host } = new URL(endpoint);
  const path = key === "" ? `/${bucket}` : key.startsWith("?") ? `/${bucket}${key}` : `/${bucket}/${key}`;
  const request = sign({ service: "s3", region, method, path, host, headers }, { accessKeyId, secretAccessKey });
  const entries = Object.entries(request.headers ?? {}).map(([name, value]): [string, string] => [name, String(value)]);
  const answer = await fetch(`${endpoint}${path}`, { method, headers: Object.fromEntries(entries) });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

async function keys(): Promise<readonly string[]> {
  const { body } = await call("GET", "?list-type=2");
  return [...body.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = ""]) => key);
}

function makeSink(more: Partial<S3Options> = {}): S3Sink {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return new S3Sink({
    bucket,
    endpoint,
    region,
    prefix: "mesh/",
    objectLock: "compliance",
    keepMs: DAY_MS,
    credentials: () => Promise.resolve({ accessKeyId, secretAccessKey }),
    now: Date.now,
    ...more,
  });
}

const stretch = (text: string) => ({
  ledger: "11111111-2222-3333-4444-555555555555",
  segment: 3,
  offset: 0,
  first: 7,
  last: 9,
  bytes: Buffer.from(text),
});
const KEY = "mesh/11111111-2222-3333-4444-555555555555/00000003/000000000007-000000000009.jsonl";

describe.each(["compliance", "governance"] as const)("a locked object (%s)", (objectLock) => {
  test("is what was shipped, and is deleted by nobody", async () => {
    const sink = makeSink({ objectLock });
    await sink.ship(stretch("a\nb\nc\n"));
    await sink.ship(stretch("a\nb\nc\n"));
    const { body, headers } = await call("GET", KEY);
    expect(body).toBe("a\nb\nc\n");
    const retention = (await call("GET", `${KEY}?retention`)).body;
    expect(retention).toContain(`<Mode>${objectLock.toUpperCase()}</Mode>`);
    const untilMs = Date.parse(/<RetainUntilDate>([^<]*)</.exec(retention)?.[1] ?? "");
    expect(untilMs).toBeGreaterThan(Date.now() + DAY_MS - 60_000);
    const version = headers.get("x-amz-version-id") ?? "";
    expect(version).not.toBe("");
    expect((await call("DELETE", `${KEY}?versionId=${version}`)).status).toBe(403);
    // A marker may be set before it; the version stays.
    await call("DELETE", KEY);
    expect((await call("GET", `${KEY}?versionId=${version}`)).body).toBe("a\nb\nc\n");
    sink.close();
  });
});

test("without object lock, or for no time, an object is not locked", async () => {
  for (const more of [{ objectLock: "none" }, { keepMs: 0 }] as const) {
    const sink = makeSink(more);
    await sink.ship(stretch("a\n"));
    const { headers } = await call("GET", KEY);
    expect((await call("GET", `${KEY}?retention`)).body).toContain("<Code>NoSuchObjectLockConfiguration</Code>");
    expect((await call("DELETE", `${KEY}?versionId=${headers.get("x-amz-version-id")}`)).status).toBe(204);
    sink.close();
  }
});

test("a data key is never locked, and is gone when it is deleted", async () => {
  const sink = makeSink();
  const { ledger } = stretch("");
  const version = await sink.putKey(ledger, "0123456789abcdef", Buffer.from("wrapped"));
  const key = `mesh/${ledger}/keys/0123456789abcdef.jwe`;
  expect((await call("GET", key)).body).toBe("wrapped");
  await sink.deleteKey(ledger, "0123456789abcdef", version);
  await sink.deleteKey(ledger, "0123456789abcdef", version);
  expect((await call("GET", `${key}?versionId=${version}`)).status).toBe(404);
  sink.close();
});

test.each<[string, Partial<S3Options>, RegExp]>([
  [
    "another secret",
    { credentials: () => Promise.resolve({ accessKeyId: "AKIATEST", secretAccessKey: "wrong" }) },
    /403 .*SignatureDoesNotMatch/,
  ],
  ["a bucket that is not there", { bucket: "absent" }, /404 .*NoSuchBucket/],
  ["nobody there", { endpoint: "http://127.0.0.1:9" }, /ECONNREFUSED/],
])("%s is an error that says so", async (_, more, words) => {
  const sink = makeSink(more);
  await expect(sink.ship(stretch("a\n"))).rejects.toThrow(words);
  sink.close();
});

test("a ledger is its objects, put together in order", async () => {
  const directory = mkdtempSync(join(tmpdir(), "hedgerow-s3-ledger-"));
  try {
    await using writer = await openLedger({
      directory,
      node: "n/web",
      spiffe: "spiffe://bank.example/ns/n/sa/web",
      policy: "n/main",
      durability: { each: true, everyMs: 5 },
      keyEncryptionKey: createHash("sha256").update("test").digest(),
    });
    const ship = () =>
      new Shipper({
        name: "vault",
        region: "eu-test-1",
        required: true,
        sink: makeSink(),
        target: "vault",
        ledger: writer,
        random: () => 0,
        logger: pino({ level: "silent" }),
      });
    for (let agent = 0; agent < 2; agent += 1) {
      const shipper = ship();
      for (let lines = 0; lines < 5; lines += 1) {
        const { seq } = await writer.append({ type: "log.gap", reason: "test", lines });
        await shipper.acknowledged(seq);
      }
      await writer.rollSegment();
      await until("all is there", () => shipper.lagRecords === 0);
      await shipper.close();
    }
    for (const segment of ["00000000", "00000001", "00000002"]) {
      const parts = (await keys()).filter((key) => key.startsWith(`mesh/${writer.id}/${segment}/`)).toSorted();
      const bodies: string[] = [];
      for (const key of parts) bodies.push((await call("GET", key)).body);
      expect(bodies.join(""), segment).toBe(readFileSync(join(directory, `${segment}.jsonl`), "utf8"));
    }
    expect((await call("GET", `mesh/${writer.id}/ledger.json`)).body).toBe(
      readFileSync(join(directory, "ledger.json"), "utf8"),
    );
    expect((await keys()).filter((key) => key.startsWith(`mesh/${writer.id}/keys/`))).toHaveLength(3);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
