import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writevSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Decision } from "@hedgerow/ledger";
import { type Durability, openLedger, verifyDirectory } from "@hedgerow/ledger/store";
import type { Bench } from "./bench.ts";

/** Records that are under way at once, as many requests would be. */
const together = 64;

/** What the agent writes of one digit, with another id each time. */
function decision(turn: number): Decision {
  return {
    type: "decision",
    id: turn.toString(32).toUpperCase().padStart(16, "0"),
    request: `6f1ad1c4-3f51-4a5e-9b0a-${turn.toString(16).padStart(12, "0")}`,
    caller: "spiffe://bank.example/ns/apps/sa/reader",
    port: 8443,
    protocol: "grpc",
    method: "infer",
    model: "digits",
    inputs: [{ name: "image", datatype: "FP32", shape: [1, 784] }],
    access: { policy: "models/digits", generation: 3, rule: "readers" },
    verdict: "allow",
    bodyBytes: 3199,
    decodedBytes: 3194,
    inputDigest: "kq3V4x0m1w5l7tqYw2nJmQm8S1f0c9o2Zr6dJx1cF7Y",
  };
}

/** CPU of this process and wall time, milliseconds. */
async function timed(work: () => Promise<void>): Promise<{ readonly cpuMs: number; readonly wallMs: number }> {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMs: (user + system) / 1_000, wallMs: performance.now() - started };
}

async function inParallel(count: number, each: (turn: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: together }, one));
}

async function fill(directory: string, count: number, durability: Durability) {
  await using ledger = await openLedger({
    directory,
    node: "models/digits",
    spiffe: "spiffe://bank.example/ns/models/sa/digits",
    policy: "models/models",
    durability,
  });
  let peakRss = 0;
  const figures = await timed(async () => {
    await inParallel(count, async (turn) => {
      await ledger.append(decision(turn));
      if (turn % 10_000 === 0) peakRss = Math.max(peakRss, process.memoryUsage.rss());
    });
  });
  return { ...figures, peakRss };
}

/** The same lines to a file, without chain or promise: what writing alone costs. */
async function plain(directory: string, count: number) {
  const file = openSync(join(directory, "plain.jsonl"), "w");
  const figures = await timed(async () => {
    for (let turn = 0; turn < count; turn += together)
      writevSync(
        file,
        Array.from({ length: together }, (_, at) =>
          Buffer.from(
            `${JSON.stringify({ seq: turn + at, time: new Date().toISOString(), ...decision(turn + at) })}\n`,
          ),
        ),
      );
  });
  closeSync(file);
  rmSync(join(directory, "plain.jsonl"));
  return figures;
}

async function verify(directory: string) {
  let records = 0;
  const figures = await timed(async () => {
    const report = await verifyDirectory(directory, { roots: [] });
    const [damage] = report.findings;
    if (damage !== undefined) throw new Error(damage.message);
    records = report.records;
  });
  const bytes = readdirSync(directory)
    .filter((name) => name.endsWith(".jsonl"))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  return { ...figures, records, bytes, rss: process.memoryUsage.rss() };
}

/** A ledger written and verified, beside the same lines written plainly; a ten times longer one shows whether that is linear. */
export const audit: Bench = {
  name: "audit",
  description: "a decision appended to the ledger, and ledgers verified: CPU, records a second, memory",
  run: async ({ quick, log, signal }) => {
    const count = Number(process.env["HEDGEROW_BENCH_RECORDS"] ?? (quick ? 50_000 : 1_000_000));
    const root = mkdtempSync(join(tmpdir(), "hedgerow-audit-"));
    await using _ = { [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true, force: true }) };
    const batch: Durability = { each: false, everyMs: 5 };
    await fill(join(root, "warm"), 20_000, batch);
    const short = await fill(join(root, "short"), count / 10, batch);
    const shortVerified = await verify(join(root, "short"));
    signal.throwIfAborted();
    log(`${count / 10} records`);
    const plainly = await plain(root, Math.min(count, 200_000));
    const plainMicros = (plainly.cpuMs * 1_000) / Math.min(count, 200_000);
    const long = await fill(join(root, "long"), count, batch);
    signal.throwIfAborted();
    log(`${count} records`);
    const longVerified = await verify(join(root, "long"));
    const eachCount = quick ? 2_000 : 10_000;
    const each = await fill(join(root, "each"), eachCount, { each: true, everyMs: 5 });
    const recordCpuMicros = (long.cpuMs * 1_000) / count;
    const perSecond = ({ records, wallMs }: { records: number; wallMs: number }) => records / (wallMs / 1_000);
    const json = {
      records: count,
      recordCpuMicros,
      recordCpuRatio: recordCpuMicros / plainMicros,
      verifyPerSecond: perSecond(longVerified),
      // 1: verifying ten times as many takes ten times as long.
      verifyLinearity: perSecond(shortVerified) / perSecond(longVerified),
      rssMb: { short: short.peakRss / 1e6, long: long.peakRss / 1e6, verifying: longVerified.rss / 1e6 },
      bytesPerRecord: longVerified.bytes / longVerified.records,
      eachPerSecond: eachCount / (each.wallMs / 1_000),
    };
    const rows = [
      { what: "CPU µs a record, batch", figure: recordCpuMicros },
      { what: "the same lines written plainly", figure: plainMicros },
      { what: "ledger ÷ plain", figure: json.recordCpuRatio },
      { what: `records/s, fsync each, ${together} at a time`, figure: json.eachPerSecond },
      { what: `records/s verified, of ${longVerified.records}`, figure: json.verifyPerSecond },
      { what: `records/s verified, of ${shortVerified.records}`, figure: perSecond(shortVerified) },
      { what: "bytes a record", figure: json.bytesPerRecord },
      { what: `peak RSS MB, ${count / 10} records written`, figure: json.rssMb.short },
      { what: `peak RSS MB, ${count} records written`, figure: json.rssMb.long },
      { what: "RSS MB after verifying", figure: json.rssMb.verifying },
    ];
    return { rows, json };
  },
};
