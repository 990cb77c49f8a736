import {
  appendFileSync,
  existsSync,
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
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../../../test/until.ts";
import { lineKey } from "./outcome-line.ts";
import { type OutcomeLedger, OutcomeTail } from "./tail.ts";

let directory: string;
let log: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "hedgerow-tail-"));
  log = join(directory, "envoy-outcomes.log");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** A ledger in memory, which outlives the agents that write it. */
class Ledger implements OutcomeLedger {
  readonly records: RecordBody[] = [];
  readonly missing: string[] = [];
  readonly ended: number[] = [];
  failing = false;
  attempts = 0;
  /** Records that an agent read back when it started. */
  #known = new Set<string>();

  append(body: RecordBody): Promise<void> {
    this.attempts += 1;
    if (this.failing) return Promise.reject(new Error("disk full"));
    this.records.push(body);
    return Promise.resolve();
  }

  /** As the next agent finds it. */
  reopen(): void {
    this.#known = new Set(this.records.flatMap((body) => lineKey(body) ?? []));
  }

  hasLine(key: string): boolean {
    return this.#known.delete(key);
  }

  missed(code: string): void {
    this.missing.push(code);
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  envoyEnded(atMs: number): Promise<void> {
    this.ended.push(atMs);
    return Promise.resolve();
  }

  get ids(): readonly string[] {
    return this.records.flatMap((body) => (body.type === "outcome" ? [body.id] : []));
  }
}

const id = (number: number) => String(number).padStart(16, "0");
const line = (number: number, more: object = {}) =>
  `${JSON.stringify({ time: "2026-11-24T10:00:00.000Z", port: "8080", audit: "n/main", decision: id(number), status: 200, ...more })}\n`;
const write = (...numbers: readonly number[]) => appendFileSync(log, numbers.map((number) => line(number)).join(""));

function follow(
  ledger: Ledger,
  options: { readonly reopen?: () => Promise<void>; readonly rotateBytes?: number } = {},
) {
  const tail = new OutcomeTail({
    path: log,
    positionPath: join(directory, "position.json"),
    reopen: () => Promise.resolve(),
    ledgers: { find: ({ ledger: name }) => (name === "gone" ? undefined : ledger), all: () => [ledger] },
    now: () => 1_000,
    logger: pino({ level: "silent" }),
    ...options,
  });
  tail.start();
  return tail;
}

describe("the tail of Envoy's log", () => {
  test("waits for a log that is not there, and for the end of a line", async () => {
    const ledger = new Ledger();
    const tail = follow(ledger);
    appendFileSync(log, line(1) + line(2).slice(0, 30));
    await until("the first line", () => ledger.ids.length === 1);
    appendFileSync(log, line(2).slice(30));
    await until("the second", () => ledger.ids.length === 2);
    await tail.stop();
    expect(ledger.ids).toEqual([id(1), id(2)]);
  });

  test("records what is there when the agent stops, and goes on from there", async () => {
    const ledger = new Ledger();
    write(1, 2);
    await follow(ledger).stop();
    write(3);
    await follow(ledger).stop();
    expect(ledger.ids).toEqual([id(1), id(2), id(3)]);
  });

  test("records no line twice that an agent recorded and died before it kept its position", async () => {
    const ledger = new Ledger();
    write(1, 2);
    await follow(ledger).stop();
    const position = readFileSync(join(directory, "position.json"));
    write(3, 4);
    await follow(ledger).stop();
    writeFileSync(join(directory, "position.json"), position);
    write(5);
    ledger.reopen();
    await follow(ledger).stop();
    expect(ledger.ids).toEqual([1, 2, 3, 4, 5].map(id));
  });

  test("begins a file that only has the name and inode of the former one", async () => {
    const ledger = new Ledger();
    write(1, 2);
    await follow(ledger).stop();
    writeFileSync(log, line(3) + line(4) + line(5));
    await follow(ledger).stop();
    expect(ledger.ids).toEqual([1, 2, 3, 4, 5].map(id));
  });

  test("keeps lines in the file while the ledger can't be written", async () => {
    const ledger = new Ledger();
    ledger.failing = true;
    write(1, 2);
    const tail = follow(ledger);
    await until("attempts", () => ledger.attempts >= 3);
    expect(existsSync(join(directory, "position.json"))).toBe(false);
    ledger.failing = false;
    await until("both lines", () => ledger.ids.length === 2);
    await tail.stop();
  });

  test("says what it can't read, and reads what stands behind half a line", async () => {
    const ledger = new Ledger();
    appendFileSync(log, `${line(1).slice(0, 40)}${line(2)}not json\n${line(3)}`);
    await follow(ledger).stop();
    expect(ledger.ids).toEqual([id(2), id(3)]);
    expect(ledger.records.at(-1)).toEqual({ type: "log.gap", reason: "unreadable", lines: 2 });
  });

  test("says that a line went on for longer than any", async () => {
    const ledger = new Ledger();
    appendFileSync(log, `${"x".repeat(600_000)}\n${line(1)}`);
    await follow(ledger).stop();
    expect(ledger.ids).toEqual([id(1)]);
    expect(ledger.records.filter(({ type }) => type === "log.gap")).not.toHaveLength(0);
  });

  test("counts what was answered without a decision, and what belongs to no ledger", async () => {
    const ledger = new Ledger();
    appendFileSync(log, line(1, { decision: null, upstream: "127.0.0.1:9" }) + line(2, { audit: "gone" }));
    const tail = follow(ledger);
    await tail.stop();
    expect(ledger.missing).toEqual(["inspection_failed"]);
    expect(ledger.records).toEqual([]);
    expect(tail.homeless).toBe(1);
  });

  test("tells the ledger that Envoy ended once all that it wrote is recorded", async () => {
    const ledger = new Ledger();
    const tail = follow(ledger);
    write(1);
    tail.envoyEnded();
    await until("told", () => ledger.ended.length === 1);
    expect(ledger.ids).toEqual([id(1)]);
    expect(ledger.ended).toEqual([1_000]);
    await tail.stop();
  });
});

describe("a log that grew long", () => {
  /** As Envoy does it: the same file until it is asked, a new one from then on. */
  class Writer {
    path = log;
    asked = 0;
    refusing = false;
    #held: string | undefined;

    write(...numbers: readonly number[]): void {
      appendFileSync(this.#held ?? this.path, numbers.map((number) => line(number)).join(""));
      // Whoever renames the file under a writer changes nothing for it.
      if (this.#held === undefined && existsSync(`${log}.1`)) this.#held = `${log}.1`;
    }

    readonly reopen = (): Promise<void> => {
      this.asked += 1;
      if (this.refusing) return Promise.reject(new Error("envoy is gone"));
      writeFileSync(log, "", { flag: "a" });
      this.#held = undefined;
      return Promise.resolve();
    };
  }

  test("is begun anew, read to its end, and goes", async () => {
    const ledger = new Ledger();
    const writer = new Writer();
    writer.write(1, 2, 3);
    const tail = follow(ledger, { reopen: writer.reopen, rotateBytes: 100 });
    await until("rotated and gone", () => writer.asked === 1 && !existsSync(`${log}.1`));
    expect(statSync(log).size).toBe(0);
    writer.write(4);
    await until("the next line", () => ledger.ids.length === 4);
    await tail.stop();
    expect(ledger.ids).toEqual([1, 2, 3, 4].map(id));
  });

  test("that no ledger takes is kept to a limit, and how much went is said once one does", async () => {
    const ledger = new Ledger();
    ledger.failing = true;
    const writer = new Writer();
    writer.write(1);
    const tail = follow(ledger, { reopen: writer.reopen, rotateBytes: 500 });
    await until("attempts", () => ledger.attempts >= 1);
    writer.write(2, 3, 4, 5, 6);
    await until("begun anew", () => writer.asked === 1);
    writer.write(7, 8, 9, 10, 11, 12);
    // The older file is gone, unread, and the newer takes its place.
    await until("begun anew once more", () => writer.asked === 2);
    writer.write(13);
    ledger.failing = false;
    await until("what is left", () => ledger.ids.includes(id(13)));
    await tail.stop();
    expect(ledger.ids).toEqual([1, 7, 8, 9, 10, 11, 12, 13].map(id));
    // The first was read before, and recorded, yet its place was never kept.
    expect(ledger.records.filter(({ type }) => type === "log.gap")).toEqual([
      { type: "log.gap", reason: "backlog_full", lines: 6 },
    ]);
  });

  test("is read on while Envoy can't be asked, and by the next agent", async () => {
    const ledger = new Ledger();
    const writer = new Writer();
    writer.refusing = true;
    writer.write(1, 2, 3);
    const first = follow(ledger, { reopen: writer.reopen, rotateBytes: 100 });
    await until("asked", () => writer.asked >= 1);
    appendFileSync(`${log}.1`, line(4));
    await until("read on", () => ledger.ids.length === 4);
    await first.stop();
    appendFileSync(`${log}.1`, line(5));
    // Envoy started anew meanwhile.
    write(6);
    await follow(ledger, { reopen: writer.reopen, rotateBytes: 1_000 }).stop();
    expect(ledger.ids).toEqual([1, 2, 3, 4, 5, 6].map(id));
    expect(existsSync(`${log}.1`)).toBe(false);
  });

  test("that was read to its end, by an agent that died before it removed it, is not read again", async () => {
    const ledger = new Ledger();
    write(1, 2);
    await follow(ledger).stop();
    const old = readFileSync(log);
    renameSync(log, `${log}.1`);
    write(3);
    await follow(ledger).stop();
    writeFileSync(`${log}.1`, old);
    write(4);
    await follow(ledger).stop();
    expect(ledger.ids).toEqual([1, 2, 3, 4].map(id));
  });
});
