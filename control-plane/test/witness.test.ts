// Ledgers of real workloads and the witness that a real control plane is.
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkpointDigest, claimsOfCheckpoint, readCheckpoint, readWitness } from "@hedgerow/ledger";
import { Checkpointer, type LedgerWriter, openLedger, verifyDirectory } from "@hedgerow/ledger/store";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ControlPlaneDirectory, ControlPlaneProcess, TestAgent } from "./control-plane-process.ts";
import { TestLedger } from "./test-ledger.ts";
import { witnessClient } from "./witness-client.ts";

const manifests = `apiVersion: hedgerow.dev/v1alpha1
kind: MeshConfig
metadata: {name: mesh}
spec: {trustDomain: bank.example}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: a, namespace: models}
spec: {serviceAccount: digits, address: 127.0.0.1}
---
apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: b, namespace: models}
spec: {serviceAccount: digits, address: 127.0.0.1}
`;

let open: AsyncDisposableStack;
let dir: string;
let directory: ControlPlaneDirectory;
let controlPlane: ControlPlaneProcess;

beforeEach(() => {
  open = new AsyncDisposableStack();
  dir = mkdtempSync(join(tmpdir(), "hedgerow-ledgers-"));
  open.defer(() => rmSync(dir, { recursive: true }));
  directory = open.use(new ControlPlaneDirectory({ "mesh.yaml": manifests }));
  controlPlane = open.use(new ControlPlaneProcess(directory));
});
afterEach(() => open.disposeAsync());

async function enroll(nodeId: string): Promise<TestAgent> {
  return open.use(await TestAgent.enroll(controlPlane, nodeId));
}

async function openWriter(path: string, node: string): Promise<LedgerWriter> {
  return open.use(
    await openLedger({
      directory: path,
      node,
      spiffe: "spiffe://bank.example/ns/models/sa/digits",
      policy: "models/audit",
      durability: { each: true, everyMs: 1 },
    }),
  );
}

function checkpointer(agent: TestAgent, writer: LedgerWriter, policy = "models/audit"): Checkpointer {
  return open.use(
    new Checkpointer({
      writer,
      node: agent.nodeId,
      spiffe: () => agent.svid.spiffeId,
      witness: witnessClient({ files: agent.files, address: () => controlPlane.address("mesh"), policy }),
      now: Date.now,
      log: { warn: () => {}, error: () => {} },
    }),
  );
}

const gap = { type: "log.gap", reason: "test" } as const;
const ofNode = async (nodeId: string) =>
  (await controlPlane.admin.listLedgers({})).ledgers.filter((ledger) => ledger.nodeId === nodeId);
const lines = (path: string) =>
  readFileSync(join(path, "checkpoints.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line): { checkpoint: string; witness?: string } => JSON.parse(line));

async function restart(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
  await controlPlane.stop(signal);
  controlPlane = open.use(new ControlPlaneProcess(directory));
  await controlPlane.address("mesh");
}

test("a ledger is opened, goes on and is closed before the eyes of its witness, over a restart", async () => {
  const agent = await enroll("models/a");
  const path = join(dir, "ledger");
  const writer = await openWriter(path, "models/a");
  const checkpoints = checkpointer(agent, writer);
  await checkpoints.checkpointNow();
  expect(await ofNode("models/a")).toMatchObject([{ ledger: writer.id, policy: "models/audit", closed: false }]);
  // Nothing new, nothing to sign.
  await checkpoints.checkpointNow();
  expect(lines(path)).toHaveLength(1);
  await writer.append(gap);
  await checkpoints.checkpointNow();
  await restart();
  await writer.append(gap);
  await writer.seal();
  await checkpoints.checkpointNow({ closed: true });
  await checkpoints.checkpointNow({ closed: true });

  const stored = lines(path);
  const { trustBundle, ledgers } = await controlPlane.admin.listLedgers({});
  const read = stored.map(({ checkpoint, witness = "" }) => [
    readCheckpoint(checkpoint, trustBundle),
    readWitness(witness, trustBundle),
  ]);
  expect(read.every((pair) => pair.every(({ ok }) => ok))).toBe(true);
  const claims = stored.map(({ checkpoint }) => claimsOfCheckpoint(checkpoint));
  const digests = stored.map(({ checkpoint }) => checkpointDigest(checkpoint));
  expect(claims.map((one) => one?.previous)).toEqual([undefined, digests[0], digests[1]]);
  expect(claims.map((one) => one?.witnessed)).toEqual([undefined, digests[0], digests[1]]);
  expect(claims.map((one) => one?.closed)).toEqual([undefined, undefined, true]);
  expect(ledgers.find(({ ledger }) => ledger === writer.id)).toMatchObject({
    closed: true,
    checkpoint: stored[2]?.checkpoint,
    witness: stored[2]?.witness,
  });
});

test("the control plane's own ledger is witnessed, too, and a second ledger of a workload stands beside the first", async () => {
  const agent = await enroll("models/a");
  const writers = [await openWriter(join(dir, "one"), "models/a"), await openWriter(join(dir, "two"), "models/a")];
  await Promise.all(writers.map((writer) => checkpointer(agent, writer).checkpointNow()));
  await restart();
  const { ledgers } = await controlPlane.admin.listLedgers({});
  expect(ledgers.map(({ nodeId, policy }) => `${nodeId} ${policy}`).sort()).toEqual([
    "hedgerow-system/control-plane control-plane",
    "models/a models/audit",
    "models/a models/audit",
  ]);
  expect(ledgers.map(({ ledger }) => ledger)).toEqual(ledgers.map(({ ledger }) => ledger).sort());
});

describe("what contradicts what was witnessed is never countersigned:", () => {
  test("a ledger that was set back to an earlier copy", async () => {
    const agent = await enroll("models/a");
    const [path, copy] = [join(dir, "ledger"), join(dir, "copy")];
    const writer = await openWriter(path, "models/a");
    const checkpoints = checkpointer(agent, writer);
    await checkpoints.checkpointNow();
    cpSync(path, copy, { recursive: true });
    for (let count = 0; count < 5; count++) await writer.append(gap);
    await checkpoints.checkpointNow();
    const [before] = await ofNode("models/a");
    await checkpoints[Symbol.asyncDispose]();
    await writer.close();

    const back = await openWriter(copy, "models/a");
    expect(back.id).toBe(writer.id);
    const again = checkpointer(agent, back);
    await back.append(gap);
    await again.checkpointNow();
    expect(again.state).toMatchObject({ witnessedSeq: 0, problem: expect.stringContaining("which was witnessed") });
    // Nor when it has come further than what it hides.
    for (let count = 0; count < 9; count++) await back.append(gap);
    await again.checkpointNow();
    expect(again.state).toMatchObject({ witnessedSeq: 0, problem: expect.stringContaining("that is not here") });
    expect(await ofNode("models/a")).toMatchObject([{ checkpoint: before?.checkpoint }]);
  });

  test("another history from the same seq on", async () => {
    const agent = await enroll("models/a");
    const [path, copy] = [join(dir, "ledger"), join(dir, "copy")];
    const writer = await openWriter(path, "models/a");
    await checkpointer(agent, writer).checkpointNow();
    await writer.flush();
    cpSync(path, copy, { recursive: true });
    await writer.append(gap);
    await checkpointer(agent, writer).checkpointNow();
    await writer.close();
    const fork = await openWriter(copy, "models/a");
    await fork.append({ ...gap, reason: "another" });
    const forked = checkpointer(agent, fork);
    await forked.checkpointNow();
    expect(forked.state.problem).toContain("another head was witnessed at seq 1");
  });

  test("but one that lies about what it follows is, and then found", async () => {
    const agent = await enroll("models/a");
    const [path, copy] = [join(dir, "ledger"), join(dir, "copy")];
    const writer = await openWriter(path, "models/a");
    const honest = checkpointer(agent, writer);
    await honest.checkpointNow();
    cpSync(path, copy, { recursive: true });
    await writer.append(gap);
    await honest.checkpointNow();
    await writer.close();
    const witnessed = lines(path).map(({ checkpoint }) => checkpointDigest(checkpoint));

    // Whoever has the agent's certificate can write another history and have its end signed: by naming what it does not hold.
    const fork = await openWriter(copy, "models/a");
    for (let count = 0; count < 5; count++) await fork.append({ ...gap, reason: "another" });
    const { seq, head, segment } = await fork.flush();
    const claims = { iss: agent.svid.spiffeId, node: "models/a" };
    const forger = new TestLedger(claims);
    const witness = witnessClient({
      files: agent.files,
      address: () => controlPlane.address("mesh"),
      policy: "models/audit",
    });
    forger.chain = (await witness.certify(forger.publicKey)).chain;
    forger.previous = witnessed[0];
    const iat = Math.floor(Date.now() / 1000);
    const forged = forger.checkpoint(seq, { ledger: fork.id, head, segment, iat, witnessed: witnessed[1] ?? "" });
    const answer = await witness.countersign(forged);
    if (answer.kind !== "witnessed") throw new Error("not witnessed");
    await fork.close();
    const stored = { checkpoint: forged, witness: answer.witness };
    appendFileSync(join(copy, "checkpoints.jsonl"), `${JSON.stringify(stored)}\n`);

    const { trustBundle, ledgers } = await controlPlane.admin.listLedgers({});
    const known = ledgers.find(({ ledger }) => ledger === fork.id);
    expect(known?.checkpoint).toBe(forged);
    const verify = async (of: string) => await verifyDirectory(of, { roots: trustBundle, witnessed: stored });
    const why = "names a countersigned one that is not here";
    expect((await verify(copy)).findings).toMatchObject([
      { kind: "checkpoint", message: expect.stringContaining(why) },
    ]);
    // Nor does it help to leave out that it was signed.
    cpSync(join(path, "checkpoints.jsonl"), join(copy, "checkpoints.jsonl"));
    expect((await verify(copy)).findings.map(({ kind }) => kind)).toContain("checkpoint_contradicts");
    rmSync(join(copy, "checkpoints.jsonl"));
    expect((await verify(copy)).findings).toMatchObject([{ message: expect.stringContaining("that is not here") }]);
  });

  test("another workload's ledger", async () => {
    const [a, b] = [await enroll("models/a"), await enroll("models/b")];
    const writer = await openWriter(join(dir, "ledger"), "models/a");
    await checkpointer(a, writer).checkpointNow();
    await writer.append(gap);
    const thief = checkpointer(b, writer);
    await thief.checkpointNow();
    expect(thief.state.problem).toContain("another workload's");
  });
});

test("while the control plane is away checkpoints are written, and the newest is countersigned when it is back", async () => {
  const agent = await enroll("models/a");
  const path = join(dir, "ledger");
  const writer = await openWriter(path, "models/a");
  const checkpoints = checkpointer(agent, writer);
  await checkpoints.checkpointNow();
  const mesh = await controlPlane.address("mesh");
  await controlPlane.stop("SIGKILL");
  for (let count = 0; count < 3; count++) {
    await writer.append(gap);
    await checkpoints.checkpointNow();
    await checkpoints.checkpointNow();
  }
  expect(checkpoints.state).toMatchObject({ seq: 3, witnessedSeq: 0, problem: expect.stringContaining("UNAVAILABLE") });
  expect(lines(path).map(({ witness }) => witness !== undefined)).toEqual([true, false, false, false]);
  controlPlane = open.use(new ControlPlaneProcess(directory, { HEDGEROW_MESH_LISTEN: mesh }));
  await controlPlane.address("mesh");
  // Nothing new: the last one itself.
  await checkpoints.checkpointNow();
  expect(checkpoints.state).toEqual({ seq: 3, witnessedSeq: 3, problem: undefined });
  expect(lines(path).map(({ witness }) => witness !== undefined)).toEqual([true, false, false, true]);
});

test("a writer that never learned that it was witnessed goes on from there", async () => {
  const agent = await enroll("models/a");
  const path = join(dir, "ledger");
  const writer = await openWriter(path, "models/a");
  const witness = witnessClient({
    files: agent.files,
    address: () => controlPlane.address("mesh"),
    policy: "models/audit",
  });
  let isLost = false;
  const checkpoints = open.use(
    new Checkpointer({
      writer,
      node: "models/a",
      spiffe: () => agent.svid.spiffeId,
      witness: {
        certify: (key) => witness.certify(key),
        countersign: async (checkpoint) => {
          const answer = await witness.countersign(checkpoint);
          if (isLost) throw new Error("lost on the way back");
          return answer;
        },
      },
      now: Date.now,
      log: { warn: () => {}, error: () => {} },
    }),
  );
  await checkpoints.checkpointNow();
  isLost = true;
  await writer.append(gap);
  await checkpoints.checkpointNow();
  isLost = false;
  await writer.append(gap);
  await checkpoints.checkpointNow();
  expect(checkpoints.state).toEqual({ seq: 2, witnessedSeq: 2, problem: undefined });
});

test("kill -9 at any moment: what was countersigned is known after the restart", async () => {
  const agent = await enroll("models/a");
  const ledgers = Array.from({ length: 8 }, () => new TestLedger({ iss: agent.svid.spiffeId, node: "models/a" }));
  const acknowledged = new Map<string, number>();
  const seqs = new Map(ledgers.map((ledger) => [ledger, 0]));
  for (let round = 0; round < 4; round++) {
    const address = await controlPlane.address("mesh");
    const witness = witnessClient({ files: agent.files, address: async () => address, policy: "models/audit" });
    const life = { isOver: false };
    const writing = ledgers.map(async (ledger) => {
      while (!life.isOver) {
        try {
          ledger.chain = (await witness.certify(ledger.publicKey)).chain;
          for (let count = 0; count < 4; count++) {
            const seq = (seqs.get(ledger) ?? 0) + 1;
            seqs.set(ledger, seq);
            const before = ledger.previous;
            const answer = await witness.countersign(ledger.checkpoint(seq));
            // Lost on the way back: it goes on from what the witness has.
            if (answer.kind === "behind") ledger.previous = answer.last;
            else if (answer.kind === "witnessed") acknowledged.set(ledger.id, seq);
            else throw new Error(`${answer.problem} ${before}`);
          }
        } catch (error) {
          if (!(error instanceof Error && /UNAVAILABLE|RESOURCE_EXHAUSTED/.test(error.message))) throw error;
          if (/UNAVAILABLE/.test(error.message)) return;
        }
      }
    });
    // Somewhere among the writes of the round.
    while (acknowledged.size < ledgers.length || Math.random() < 0.9)
      await new Promise((resolve) => setImmediate(resolve));
    await controlPlane.stop("SIGKILL");
    life.isOver = true;
    await Promise.all(writing);
    controlPlane = open.use(new ControlPlaneProcess(directory));
    const known = new Map(
      (await listAfterStart()).map(({ ledger, checkpoint }) => [ledger, claimsOfCheckpoint(checkpoint)?.seq ?? -1]),
    );
    for (const [ledger, seq] of acknowledged) expect(known.get(ledger), ledger).toBeGreaterThanOrEqual(seq);
  }
}, 60_000);

async function listAfterStart() {
  await controlPlane.address("mesh");
  return await ofNode("models/a");
}
