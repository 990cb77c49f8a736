import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkpointDigest, claimsOfCheckpoint } from "@hedgerow/ledger";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { TestLedger } from "../../test/test-ledger.ts";
import type { Sent } from "./judge.ts";
import { WitnessStore, type WitnessStoreDeps } from "./store.ts";

let dir: string;
let open: AsyncDisposableStack;
let nowMs: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hedgerow-witness-"));
  nowMs = 1_000;
  open = new AsyncDisposableStack();
  open.defer(() => rmSync(dir, { recursive: true }));
});
afterEach(() => open.disposeAsync());

const path = () => join(dir, "witness.jsonl");
const start = async (changes: Partial<WitnessStoreDeps> = {}) =>
  open.use(
    await WitnessStore.open({
      stateDir: dir,
      countersign: ({ digest }, atMs) => `by.${digest}.${atMs}`,
      now: () => nowMs++,
      logger: pino({ enabled: false }),
      ...changes,
    }),
  );
const newLedger = (node = "models/a") => new TestLedger({ iss: "spiffe://bank.example/ns/models/sa/x", node });

function sent(compact: string, changes: Partial<Sent> = {}): Sent {
  const claims = claimsOfCheckpoint(compact);
  if (claims === undefined) throw new Error("no checkpoint");
  const { node: nodeId, iss: spiffeId } = claims;
  return { nodeId, spiffeId, policy: "models/audit", claims, digest: checkpointDigest(compact), compact, ...changes };
}
const list = async (store: WitnessStore) => (await store.list("", 1_000)).ledgers;

describe("a ledger", () => {
  test("is opened by its first checkpoint, goes on, and is closed for good", async () => {
    const store = await start();
    const ledger = newLedger();
    expect(await store.take(sent(ledger.checkpoint(0)))).toMatchObject({ kind: "witnessed", isNew: true });
    const last = ledger.checkpoint(7, { closed: true });
    expect(await store.take(sent(last))).toMatchObject({ kind: "witnessed", isNew: false });
    expect(await list(store)).toMatchObject([{ ledger: ledger.id, checkpoint: last, closed: true }]);
    expect(await store.take(sent(ledger.checkpoint(8)))).toEqual({
      kind: "contradicts",
      problem: "ledger was closed at seq 7",
    });
  });

  test.each([
    ["a smaller seq", 4, {}, "seq 4 is before 5, which was witnessed"],
    ["another head at the same seq", 5, { head: "0".repeat(64) }, "another head was witnessed at seq 5"],
  ])("is not rolled back: %s", async (_, seq, more, problem) => {
    const store = await start();
    const ledger = newLedger();
    await store.take(sent(ledger.checkpoint(5)));
    expect(await store.take(sent(ledger.checkpoint(seq, more)))).toEqual({ kind: "contradicts", problem });
    expect(await list(store)).toMatchObject([{ witness: expect.stringContaining("by.") }]);
  });

  test("is nobody else's, and of one policy", async () => {
    const store = await start();
    const ledger = newLedger();
    await store.take(sent(ledger.checkpoint(1)));
    const next = ledger.checkpoint(2);
    expect(await store.take(sent(next, { nodeId: "models/b" }))).toEqual({ kind: "not-yours" });
    expect(await store.take(sent(next, { policy: "models/other" }))).toMatchObject({ kind: "contradicts" });
    expect(await store.take(sent(next))).toMatchObject({ kind: "witnessed" });
  });

  test("whose answer was lost is answered the same again", async () => {
    const store = await start();
    const first = sent(newLedger().checkpoint(1));
    const answer = await store.take(first);
    const lines = readFileSync(path(), "utf8");
    expect(await store.take(first)).toEqual({ ...answer, isNew: false });
    expect(readFileSync(path(), "utf8")).toBe(lines);
  });

  test("that does not name the last one is told of it, and goes on from there", async () => {
    const store = await start();
    const ledger = newLedger();
    const last = ledger.checkpoint(1);
    await store.take(sent(last));
    // Made while the witness was away.
    ledger.checkpoint(2);
    const behind = await store.take(sent(ledger.checkpoint(3)));
    expect(behind).toEqual({ kind: "behind", witness: expect.any(String), last: checkpointDigest(last) });
    const next = ledger.checkpoint(3, { witnessed: checkpointDigest(last) });
    expect(await store.take(sent(next))).toMatchObject({ kind: "witnessed" });
  });

  test("whose history was written anew can't go on, however far it comes", async () => {
    const store = await start();
    const ledger = newLedger();
    const before = ledger.checkpoint(5);
    await store.take(sent(before));
    await store.take(sent(ledger.checkpoint(8)));
    // From 5 on again, as if 6 to 8 had never been.
    ledger.previous = checkpointDigest(before);
    expect(await store.take(sent(ledger.checkpoint(20)))).toMatchObject({ kind: "behind" });
    expect(await list(store)).toMatchObject([{ ledger: ledger.id }]);
  });
});

describe("the files", () => {
  test("empty: nothing is known", async () => {
    const store = await start();
    expect(await store.list("", 10)).toEqual({ ledgers: [], more: false });
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  test("outlive the process, and hold what was countersigned before it was", async () => {
    const ledger = newLedger();
    let lineAtSigning = "";
    {
      await using store = await start();
      const taken = store.take(sent(ledger.checkpoint(1)));
      void taken.then(() => {
        lineAtSigning = readFileSync(path(), "utf8");
      });
      await taken;
    }
    expect(lineAtSigning).toContain(ledger.id);
    const store = await start();
    expect(await store.take(sent(ledger.checkpoint(0)))).toMatchObject({ kind: "contradicts" });
    expect(await store.take(sent(ledger.checkpoint(3, { previous: "0".repeat(64) })))).toMatchObject({
      kind: "behind",
    });
  });

  test.each([1, 30, 400])("lose a last line that was torn %i bytes before its end, and nothing else", async (cut) => {
    const [kept, torn] = [newLedger(), newLedger()];
    {
      await using store = await start();
      await store.take(sent(kept.checkpoint(1)));
      await store.take(sent(torn.checkpoint(1)));
    }
    truncateSync(path(), statSync(path()).size - cut);
    const store = await start();
    expect(await list(store)).toMatchObject([{ ledger: kept.id }]);
    expect(await store.take(sent(kept.checkpoint(2)))).toMatchObject({ kind: "witnessed" });
    const again = await start();
    expect(await list(again)).toMatchObject([{ ledger: kept.id, checkpoint: (await list(store))[0]?.checkpoint }]);
  });

  test("with other lines are not taken for empty", async () => {
    writeFileSync(path(), "{}\n");
    await expect(start()).rejects.toMatchObject({ code: "WITNESS_CORRUPT" });
    writeFileSync(path(), "");
    appendFileSync(join(dir, "witness-archive.jsonl"), "x\n");
    await expect(start()).rejects.toMatchObject({ code: "WITNESS_CORRUPT" });
  });

  test("stay short, however often a ledger goes on", async () => {
    const store = await start();
    const ledgers = [newLedger(), newLedger()];
    for (let seq = 0; seq < 1_500; seq++)
      await Promise.all(ledgers.map((ledger) => store.take(sent(ledger.checkpoint(seq)))));
    expect(readFileSync(path(), "utf8").split("\n").length).toBeLessThan(1_010);
    const again = await start();
    expect((await list(again)).map(({ ledger }) => ledger)).toEqual(ledgers.map(({ id }) => id).sort());
  });

  test("keep what is at rest in the archive, from where it comes back", async () => {
    const limits = { inMemory: 10, inAll: 40 };
    const store = await start({ limits });
    const ledgers = Array.from({ length: 40 }, () => newLedger());
    for (const [index, ledger] of ledgers.entries())
      expect(await store.take(sent(ledger.checkpoint(1, { closed: index % 2 === 0 })))).toMatchObject({ isNew: true });
    expect(readFileSync(path(), "utf8").split("\n").length).toBeLessThan(12);
    const again = await start({ limits });
    for (const one of [store, again]) {
      expect(one.size).toBe(40);
      expect((await list(one)).map(({ ledger }) => ledger)).toEqual(ledgers.map(({ id }) => id).sort());
    }
    const [closed, still] = ledgers;
    if (closed === undefined || still === undefined) throw new Error("no ledgers");
    expect(await again.take(sent(closed.checkpoint(2)))).toMatchObject({ kind: "contradicts" });
    expect(await again.take(sent(still.checkpoint(2)))).toMatchObject({ kind: "witnessed", isNew: false });
    expect(await again.take(sent(newLedger().checkpoint(1)))).toEqual({ kind: "full" });
    expect((await start({ limits })).size).toBe(40);
  });

  test("are read in pages", async () => {
    const store = await start({ limits: { inMemory: 3, inAll: 100 } });
    const ledgers = Array.from({ length: 7 }, () => newLedger());
    await Promise.all(ledgers.map((ledger) => store.take(sent(ledger.checkpoint(1)))));
    const seen: string[] = [];
    for (let more = true; more; ) {
      const page = await store.list(seen.at(-1) ?? "", 3);
      seen.push(...page.ledgers.map(({ ledger }) => ledger));
      more = page.more;
    }
    expect(seen).toEqual(ledgers.map(({ id }) => id).sort());
  });
});

test("of many checkpoints at once each is judged by those before it", async () => {
  const store = await start();
  const ledgers = Array.from({ length: 20 }, () => newLedger());
  const all = ledgers.flatMap((ledger) => [1, 2, 3].map((seq) => sent(ledger.checkpoint(seq))));
  const taken = await Promise.all(all.map((one) => store.take(one)));
  expect(taken.every(({ kind }) => kind === "witnessed")).toBe(true);
  const fork = ledgers.map((ledger) => store.take(sent(ledger.checkpoint(3, { head: "f".repeat(64) }))));
  expect((await Promise.all(fork)).every(({ kind }) => kind === "contradicts")).toBe(true);
});
