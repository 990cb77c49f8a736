import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LedgerOptions, type LedgerWriter, openLedger } from "@hedgerow/ledger/store";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../test/until.ts";
import { FileSink } from "./file-sink.ts";
import { Shipper } from "./shipper.ts";
import type { Sink, Stretch } from "./sink.ts";

let directory: string;
let ledger: string;
let copy: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-ship-"));
  [ledger, copy] = [join(directory, "ledger"), join(directory, "copy")];
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (options: Partial<LedgerOptions> = {}) =>
  openLedger({
    directory: ledger,
    node: "n/web",
    spiffe: "spiffe://bank.example/ns/n/sa/web",
    policy: "n/main",
    durability: { each: true, everyMs: 5 },
    ...options,
  });

function ship(writer: LedgerWriter, sink: Sink = new FileSink(copy), required = false, target = "a") {
  const logger = pino({ level: "silent" });
  return new Shipper({ name: "copy", region: "", required, sink, target, ledger: writer, random: () => 0, logger });
}

const gap = (lines: number) => ({ type: "log.gap", reason: "test", lines }) as const;

async function append(writer: LedgerWriter, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, index) => writer.append(gap(index))));
}

/** Everything that a ledger and its copy both have. */
function files(of: string): Record<string, string> {
  const names = readdirSync(of, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(of.length + 1))
    .filter((name) => /^(ledger\.json|checkpoints\.jsonl|\d{8}\.jsonl|keys\/.*)$/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(of, name), "utf8")]));
}

describe("a copy in a directory", () => {
  test("is the ledger, segment by segment, with its checkpoints", async () => {
    await using writer = await open();
    await using shipper = disposable(ship(writer));
    await append(writer, 100);
    await writer.rollSegment();
    await append(writer, 10);
    writeFileSync(join(ledger, "checkpoints.jsonl"), '{"checkpoint":"a.b.c"}\n{"checkpoint":"a.b');
    await until("all is there", () => shipper.of.lagRecords === 0);
    await shipper.of.close();
    // What is torn is nothing yet.
    const { "checkpoints.jsonl": checkpoints, ...rest } = files(join(copy, writer.id));
    expect({ ...rest, "checkpoints.jsonl": `${checkpoints}{"checkpoint":"a.b` }).toEqual(files(ledger));
    expect(Object.keys(files(ledger)).toSorted()).toEqual([
      "00000000.jsonl",
      "00000001.jsonl",
      "checkpoints.jsonl",
      "ledger.json",
    ]);
  });

  test("has the last checkpoint once it is countersigned: until then its line may change", async () => {
    await using writer = await open();
    const [first, second] = ['{"checkpoint":"a.b.c"}', '{"checkpoint":"d.e.f","witness":"x.y.z"}'];
    const of = () => files(join(copy, writer.id))["checkpoints.jsonl"];
    const shipAll = async () => {
      const shipper = ship(writer);
      await append(writer, 1);
      await until("shipped", () => shipper.lagRecords === 0);
      await shipper.close();
    };
    writeFileSync(join(ledger, "checkpoints.jsonl"), `${first}\n`);
    await shipAll();
    expect(of()).toBeUndefined();
    writeFileSync(join(ledger, "checkpoints.jsonl"), `${first}\n${second}\n`);
    await shipAll();
    expect(of()).toBe(`${first}\n${second}\n`);
  });

  test("is encrypted as the ledger is, and forgets the keys that it forgets", async () => {
    await using writer = await open({ keyEncryptionKey: Buffer.alloc(32, 1) });
    await append(writer, 10);
    await writer.rollSegment();
    const shipper = ship(writer);
    await until("all is there", () => shipper.lagRecords === 0);
    expect(Object.keys(files(join(copy, writer.id))).filter((name) => name.startsWith("keys/"))).toHaveLength(2);
    expect(shipper.hasSegment(0)).toBe(true);
    await writer.deleteSegment(0, "standard");
    shipper.wake(true);
    await until("its key is gone", () => readdirSync(join(copy, writer.id, "keys")).length === 1);
    await shipper.close();
    expect(readFileSync(join(copy, writer.id, "00000000.jsonl"), "utf8")).toContain('"enc":');
  });

  test("goes on where it was, whenever the agent died", async () => {
    const writer = await open();
    const first = ship(writer);
    await append(writer, 50);
    await until("shipped", () => first.lagRecords === 0);
    await first.close();
    const cursors = join(directory, "cursors");
    cpSync(join(ledger, "sinks"), cursors, { recursive: true });
    const second = ship(writer);
    await append(writer, 50);
    await until("shipped", () => second.lagRecords === 0);
    await second.close();
    // An agent that shipped and died before it kept its place.
    cpSync(cursors, join(ledger, "sinks"), { recursive: true });
    const third = ship(writer);
    await until("shipped", () => third.lagRecords === 0);
    await third.close();
    expect(third.failures).toBe(0);
    expect(files(join(copy, writer.id))).toEqual(files(ledger));
    await writer.close();
  });

  test("that was emptied or cut is made anew", async () => {
    await using writer = await open();
    await append(writer, 50);
    const first = ship(writer);
    await until("shipped", () => first.lagRecords === 0);
    rmSync(copy, { recursive: true });
    await append(writer, 5);
    await until("made anew", () => first.lagRecords === 0);
    await first.close();
    expect(files(join(copy, writer.id))).toEqual(files(ledger));

    const path = join(copy, writer.id, "00000000.jsonl");
    truncateSync(path, 1_000);
    const second = ship(writer);
    await append(writer, 5);
    await until("mended", () => second.lagRecords === 0);
    await second.close();
    expect(files(join(copy, writer.id))).toEqual(files(ledger));
  });

  test("that differs is left as it is", async () => {
    await using writer = await open();
    await append(writer, 5);
    const first = ship(writer);
    await until("shipped", () => first.lagRecords === 0);
    await first.close();
    const path = join(copy, writer.id, "00000000.jsonl");
    const forged = readFileSync(path, "utf8").replace('"lines":3', '"lines":4');
    writeFileSync(path, forged);
    rmSync(join(ledger, "sinks"), { recursive: true });
    const second = ship(writer);
    await until("refused", () => second.failures > 0);
    await second.close(true);
    expect(readFileSync(path, "utf8")).toBe(forged);
  });

  test("of another target begins from the first record", async () => {
    await using writer = await open();
    await append(writer, 5);
    const first = ship(writer);
    await until("shipped", () => first.lagRecords === 0);
    await first.close();
    const elsewhere = join(directory, "elsewhere");
    const second = ship(writer, new FileSink(elsewhere), false, "b");
    await until("shipped", () => second.lagRecords === 0);
    await second.close();
    expect(files(join(elsewhere, writer.id))).toEqual(files(ledger));
  });
});

/** A sink that does as it is told. */
class ToldSink implements Sink {
  readonly shipped: Stretch[] = [];
  failing = false;
  hold: Promise<unknown> = Promise.resolve();

  async ship(stretch: Stretch): Promise<void> {
    await this.hold;
    if (this.failing) throw new Error("told to fail");
    this.shipped.push(stretch);
  }

  begin(): Promise<void> {
    return Promise.resolve();
  }

  shipCheckpoints(): Promise<void> {
    return Promise.resolve();
  }

  putKey(): Promise<string> {
    return Promise.resolve("");
  }

  deleteKey(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    // Nothing is held.
  }

  get seqs(): readonly number[] {
    return this.shipped.flatMap(({ first, last }) =>
      Array.from({ length: last - first + 1 }, (_, index) => first + index),
    );
  }
}

describe("a required sink", () => {
  test("acknowledges each record, soon", async () => {
    await using writer = await open();
    const sink = new ToldSink();
    const shipper = ship(writer, sink, true);
    for (let count = 0; count < 20; count += 1) {
      const { seq } = await writer.append(gap(count));
      await shipper.acknowledged(seq);
      expect(sink.seqs.at(-1)).toBeGreaterThanOrEqual(seq);
    }
    await shipper.close();
  });

  test("that fails holds nobody up: waiting and coming are told at once, until it works again", async () => {
    await using writer = await open();
    const sink = new ToldSink();
    const shipper = ship(writer, sink, true);
    sink.failing = true;
    const { seq } = await writer.append(gap(1));
    await expect(shipper.acknowledged(seq)).rejects.toMatchObject({ code: "sink_unavailable" });
    await expect(shipper.acknowledged(seq)).rejects.toMatchObject({ code: "sink_unavailable" });
    expect(() => shipper.expectWorking()).toThrow("sink copy has not acknowledged the record");
    expect(shipper.lagRecords).toBe(2);
    sink.failing = false;
    await until("it works again", () => !shipper.failing);
    await until("nothing is behind", () => shipper.lagRecords === 0);
    await shipper.acknowledged(seq);
    expect(sink.seqs).toEqual([0, 1]);
    await shipper.close();
  });

  test("that hangs holds nobody up for longer than a check may take", async () => {
    await using writer = await open();
    const sink = new ToldSink();
    const shipper = ship(writer, sink, true);
    const hanging = Promise.withResolvers<undefined>();
    sink.hold = hanging.promise;
    const { seq } = await writer.append(gap(1));
    await expect(shipper.acknowledged(seq)).rejects.toMatchObject({ code: "sink_unavailable" });
    hanging.resolve(undefined);
    await until("it has caught up", () => shipper.lagRecords === 0);
    await shipper.close();
  });
});

test("a sink that failed at a stretch gets that very stretch again, also from the next agent", async () => {
  await using writer = await open();
  const sink = new ToldSink();
  sink.failing = true;
  await append(writer, 3);
  const first = ship(writer, sink);
  await until("an attempt", () => first.failures > 0);
  await first.close(true);
  await append(writer, 3);
  sink.failing = false;
  const second = ship(writer, sink);
  await until("shipped", () => second.lagRecords === 0);
  await second.close();
  expect(sink.shipped.map(({ first: from, last: to }) => [from, to])).toEqual([
    [0, 3],
    [4, 6],
  ]);
});

function disposable(of: Shipper) {
  return { of, [Symbol.asyncDispose]: async () => await of.close() };
}
