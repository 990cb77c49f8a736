import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StoredCheckpoint } from "../checkpoint.ts";
import { checkpointDigest, claimsOfCheckpoint } from "../checkpoint-jws.ts";
import { CheckpointFile } from "./checkpoint-file.ts";
import { Checkpointer, type CheckpointerOptions, type Countersigned, type Witness } from "./checkpointer.ts";
import type { LedgerWriter } from "./options.ts";
import { openLedger } from "./writer.ts";

const DAY_MS = 24 * 3_600_000;
const gap = { type: "log.gap", reason: "test" } as const;

let dir: string;
let open: AsyncDisposableStack;
let logged: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-checkpoints-"));
  logged = [];
  open = new AsyncDisposableStack();
  open.defer(() => rmSync(dir, { recursive: true }));
});
afterEach(() => open.disposeAsync());

const path = () => join(dir, "checkpoints.jsonl");
const lines = () =>
  readFileSync(path(), "utf8")
    .trim()
    .split("\n")
    .map((line): StoredCheckpoint => JSON.parse(line));

/** Takes whatever it is shown, as long as it is there; counts. */
class Scripted implements Witness {
  isAway = false;
  answer: Countersigned | undefined;
  readonly keys: Uint8Array[] = [];
  readonly seen: string[] = [];
  #heard: (() => void) | undefined;

  async certify(publicKey: Uint8Array) {
    if (this.isAway) throw new Error("away");
    this.keys.push(publicKey);
    return { chain: [Buffer.from("a certificate")], notAfterMs: Date.now() + 90 * DAY_MS };
  }
  async countersign(checkpoint: string): Promise<Countersigned> {
    if (this.isAway) throw new Error("away");
    this.seen.push(checkpoint);
    this.#heard?.();
    return this.answer ?? { kind: "witnessed", witness: `by.${checkpointDigest(checkpoint)}.w` };
  }
  /** Resolves with the next checkpoint. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = resolve;
    });
  }
}

async function writerOf(): Promise<LedgerWriter> {
  return open.use(
    await openLedger({
      directory: dir,
      node: "models/a",
      spiffe: "spiffe://bank.example/ns/models/sa/digits",
      policy: "models/audit",
      durability: { each: false, everyMs: 5 },
    }),
  );
}

function checkpointerOf(writer: LedgerWriter, witness: Witness, changes: Partial<CheckpointerOptions> = {}) {
  const log = (_: object, message: string) => void logged.push(message);
  const options = { writer, witness, node: "models/a", spiffe: () => "spiffe://x", now: Date.now };
  return open.use(new Checkpointer({ ...options, log: { warn: log, error: log }, ...changes }));
}

describe("a checkpoint", () => {
  test("is on disk before the witness sees it", async () => {
    const witness = new Scripted();
    let atSight = "";
    const checkpoints = checkpointerOf(await writerOf(), {
      certify: (key) => witness.certify(key),
      countersign: async (checkpoint) => {
        atSight = readFileSync(path(), "utf8");
        return await witness.countersign(checkpoint);
      },
    });
    await checkpoints.checkpointNow();
    expect(atSight).toBe(`{"checkpoint":"${witness.seen[0]}"}\n`);
    expect(lines()).toMatchObject([{ checkpoint: witness.seen[0], witness: expect.stringMatching(/^by\./) }]);
  });

  test("waits for an SVID and for the witness to certify a key, and says so once", async () => {
    const writer = await writerOf();
    const witness = new Scripted();
    witness.isAway = true;
    let spiffe: string | undefined;
    const checkpoints = checkpointerOf(writer, witness, { spiffe: () => spiffe });
    await checkpoints.checkpointNow();
    expect(checkpoints.state).toEqual({ seq: -1, witnessedSeq: -1, problem: "there is no SVID yet" });
    spiffe = "spiffe://x";
    await checkpoints.checkpointNow();
    await checkpoints.checkpointNow();
    expect(logged).toEqual(["Checkpoint was not witnessed", "Checkpoint was not witnessed"]);
    witness.isAway = false;
    await checkpoints.checkpointNow();
    expect(checkpoints.state).toMatchObject({ seq: 0, witnessedSeq: 0, problem: undefined });
  });

  test("has one key, until two thirds of its time or another SPIFFE id", async () => {
    const writer = await writerOf();
    const witness = new Scripted();
    let [nowMs, spiffe] = [Date.now(), "spiffe://x"];
    const checkpoints = checkpointerOf(writer, witness, { now: () => nowMs, spiffe: () => spiffe });
    const more = async () => {
      await writer.append(gap);
      await checkpoints.checkpointNow();
    };
    await more();
    await more();
    expect(witness.keys).toHaveLength(1);
    nowMs += 61 * DAY_MS;
    // The old one still does where no other can be had.
    witness.isAway = true;
    await more();
    expect(checkpoints.state).toMatchObject({ seq: 3, witnessedSeq: 2 });
    witness.isAway = false;
    await more();
    expect(witness.keys).toHaveLength(2);
    spiffe = "spiffe://y";
    await more();
    expect(witness.keys).toHaveLength(3);
    expect(claimsOfCheckpoint(witness.seen.at(-1) ?? "")?.iss).toBe("spiffe://y");
  });

  test("that the witness can't follow is not the ledger's end, and is told once", async () => {
    const writer = await writerOf();
    const witness = new Scripted();
    witness.answer = { kind: "behind", last: "0".repeat(64) };
    const checkpoints = checkpointerOf(writer, witness);
    await checkpoints.checkpointNow();
    await checkpoints.checkpointNow();
    expect(logged).toEqual(["Ledger contradicts what was witnessed of it"]);
    witness.answer = { kind: "refused", problem: "ledger was closed at seq 0" };
    await writer.append(gap);
    await checkpoints.checkpointNow();
    expect(checkpoints.state).toEqual({ seq: 1, witnessedSeq: -1, problem: "ledger was closed at seq 0" });
    expect(lines()).toHaveLength(2);
  });

  test("goes on from one far back that the witness names", async () => {
    const writer = await writerOf();
    const witness = new Scripted();
    const checkpoints = checkpointerOf(writer, witness);
    await checkpoints.checkpointNow();
    const first = checkpointDigest(witness.seen[0] ?? "");
    witness.isAway = true;
    for (let count = 0; count < 400; count++) {
      await writer.append(gap);
      await checkpoints.checkpointNow();
    }
    await checkpoints[Symbol.asyncDispose]();
    witness.isAway = false;
    // Another process, which does not read so far back.
    const again = checkpointerOf(writer, {
      certify: (key) => witness.certify(key),
      countersign: async (checkpoint) => {
        const { previous, witnessed } = claimsOfCheckpoint(checkpoint) ?? {};
        return previous === first || witnessed === first
          ? { kind: "witnessed", witness: "a.b.c" }
          : { kind: "behind", last: first };
      },
    });
    await writer.append(gap);
    await again.checkpointNow();
    expect(again.state).toEqual({ seq: 401, witnessedSeq: 401, problem: undefined });
  });
});

test("it runs until it is told to stop, and does not wait where a segment ends", async () => {
  const writer = await writerOf();
  const witness = new Scripted();
  const checkpoints = checkpointerOf(writer, witness);
  const stop = new AbortController();
  const first = witness.next();
  const running = checkpoints.run(stop.signal);
  await first;
  const second = witness.next();
  await writer.rollSegment();
  await second;
  expect(claimsOfCheckpoint(witness.seen[1] ?? "")).toMatchObject({ segment: 1 });
  stop.abort();
  await running;
});

describe("the file", () => {
  test.each([0, 1, 2, 30, 90, 200])(
    "is whole again after a crash that left %i bytes of a countersignature",
    async (left) => {
      const writer = await writerOf();
      const witness = new Scripted();
      const checkpoints = checkpointerOf(writer, witness);
      await checkpoints.checkpointNow();
      await writer.append(gap);
      await checkpoints.checkpointNow();
      await checkpoints[Symbol.asyncDispose]();
      const whole = readFileSync(path(), "utf8");
      const at = whole.lastIndexOf(',"witness"');
      truncateSync(path(), Math.min(at + left, whole.length - 1));
      await using file = await CheckpointFile.open(dir);
      expect(file.last).toMatchObject({ compact: witness.seen[1], isWitnessed: false });
      expect(file.lastWitnessed).toMatchObject({ compact: witness.seen[0] });
      await file.witness("a.b.c");
      expect(lines()).toEqual([
        { checkpoint: witness.seen[0], witness: expect.anything() },
        { checkpoint: witness.seen[1], witness: "a.b.c" },
      ]);
    },
  );

  test.each(["", "x", '{"checkpoint":"', '{"checkpoint":"a.b'])(
    "loses half a line that no witness saw: %j",
    async (torn) => {
      writeFileSync(path(), torn);
      await using file = await CheckpointFile.open(dir);
      expect(file.last).toBeUndefined();
      expect(readFileSync(path(), "utf8")).toBe("");
    },
  );
});
