import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DATATYPES, type Datatype } from "@hedgerow/proto/tensor";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLogger } from "../logger.ts";
import { identityFile, type OnnxTensor, onnxFile } from "../testing/onnx-file.ts";
import type { RunRequest } from "./messages.ts";
import { type PoolOptions, WorkerPool } from "./worker-pool.ts";

const logger = createLogger("fatal");
const forever = new AbortController().signal;
const scripted: PoolOptions = {
  models: [],
  workers: 1,
  queueLimit: 2,
  logger,
  entry: new URL("../testing/scripted-worker.ts", import.meta.url),
};
const told = (model: string, ...bytes: number[]): RunRequest => ({
  model,
  inputs: [{ name: "x", datatype: "UINT8", shape: [bytes.length], bytes: Uint8Array.from(bytes) }],
  outputs: [],
});
const gate = new BroadcastChannel("scripted-worker");
afterAll(() => gate.close());
/** Lets the worker that was told to hold go on. */
const openGate = () => gate.postMessage("open");
const code = (error: unknown) => (error as { code?: string }).code;
const failure = (promise: Promise<unknown>) => promise.then(() => "answered", code);

describe("scripted workers", () => {
  test("requests wait their turn; one too many is refused, naming the limit", async () => {
    await using pool = await WorkerPool.start(scripted);
    const held = pool.run(told("hold", 1), forever);
    const waiting = [2, 3].map((byte) => pool.run(told("echo", byte), forever));
    expect(pool.queueDepth).toBe(2);
    await expect(pool.run(told("echo", 4), forever)).rejects.toMatchObject({
      code: "resource_exhausted",
      message: "the queue is full, 2 requests wait for a worker",
    });
    openGate();
    const results = await Promise.all([held, ...waiting]);
    expect(results.map(({ outputs }) => outputs[0]?.bytes[0])).toEqual([1, 2, 3]);
    expect(pool.queueDepth).toBe(0);
  });

  test("a request that is given up while it waits leaves the queue and is never run", async () => {
    await using pool = await WorkerPool.start(scripted);
    const held = pool.run(told("hold", 1), forever);
    const abort = new AbortController();
    const waiting = pool.run(told("crash"), abort.signal);
    abort.abort(new Error("too late"));
    await expect(waiting).rejects.toThrow("too late");
    expect(pool.queueDepth).toBe(0);
    openGate();
    await held;
    await pool.run(told("echo"), forever);
    expect(pool.restarts).toBe(0);
  });

  test("a request that is given up while it runs is not waited for, and the worker goes on", async () => {
    await using pool = await WorkerPool.start(scripted);
    const abort = new AbortController();
    const held = pool.run(told("hold"), abort.signal);
    abort.abort(new Error("too late"));
    await expect(held).rejects.toThrow("too late");
    openGate();
    await pool.run(told("echo"), forever);
  });

  test("given up before it began", async () => {
    await using pool = await WorkerPool.start(scripted);
    await expect(pool.run(told("echo"), AbortSignal.abort(new Error("too late")))).rejects.toThrow("too late");
  });

  test("a worker that dies takes its own request with it, and is replaced", async () => {
    const { promise: back, resolve } = Promise.withResolvers<void>();
    const seen: number[] = [];
    await using pool = await WorkerPool.start({
      ...scripted,
      workers: 2,
      onAlive: (alive) => {
        seen.push(alive);
        if (seen.length === 2) resolve();
      },
    });
    const crash = failure(pool.run(told("crash"), forever));
    const other = failure(pool.run(told("echo"), forever));
    expect(await Promise.all([crash, other])).toEqual(["unavailable", "answered"]);
    await back;
    expect(seen).toEqual([1, 2]);
    expect(pool.restarts).toBe(1);
  });

  test("without a worker, waiting and new requests are unavailable at once", async () => {
    await using pool = await WorkerPool.start(scripted);
    const all = [told("crash"), told("echo")].map((request) => failure(pool.run(request, forever)));
    expect(await Promise.all(all)).toEqual(["unavailable", "unavailable"]);
    expect(await failure(pool.run(told("echo"), forever))).toBe("unavailable");
  });

  test("a failure of the model is one of that request only", async () => {
    await using pool = await WorkerPool.start(scripted);
    await expect(pool.run(told("fail"), forever)).rejects.toMatchObject({
      code: "internal",
      message: "model fail failed: failed as told",
    });
    await pool.run(told("echo"), forever);
  });

  test("a part of a larger buffer is copied, so that the rest stays the caller's", async () => {
    await using pool = await WorkerPool.start(scripted);
    const whole = Uint8Array.of(1, 2, 3, 4);
    const request = told("echo");
    const part = { name: "x", datatype: "UINT8" as const, shape: [2], bytes: whole.subarray(1, 3) };
    const { outputs } = await pool.run({ ...request, inputs: [part] }, forever);
    expect(outputs[0]?.bytes).toEqual(Uint8Array.of(2, 3));
    expect(whole).toEqual(Uint8Array.of(1, 2, 3, 4));
  });
});

describe("ONNX Runtime", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "hedgerow-pool-"));
  });
  afterEach(async () => await rm(directory, { recursive: true }));

  async function modelFile(bytes: Uint8Array) {
    const path = join(directory, "model.onnx");
    await writeFile(path, bytes);
    return { name: "m", version: "1", path, sha256: createHash("sha256").update(bytes).digest("hex") };
  }
  const start = async (bytes: Uint8Array) => {
    const models = [await modelFile(bytes)];
    return await WorkerPool.start({ models, workers: 1, queueLimit: 1, logger });
  };

  test("every datatype goes in and comes out as it was", async () => {
    const datatypes = Object.keys(DATATYPES) as Datatype[];
    await using pool = await start(
      identityFile(datatypes.map((datatype) => ({ name: datatype, datatype, shape: ["n", 2] }))),
    );
    const [signature] = pool.signatures;
    expect(signature?.inputs).toEqual(datatypes.map((datatype) => ({ name: datatype, datatype, shape: [-1, 2] })));
    const inputs = datatypes.map((datatype) => ({
      name: datatype,
      datatype,
      shape: [1, 2],
      bytes: Uint8Array.from({ length: 2 * DATATYPES[datatype].bytes }, (_, i) =>
        datatype === "BOOL" ? i : 3 * i + 1,
      ),
    }));
    const { outputs } = await pool.run(
      { model: "m/1", inputs: structuredClone(inputs), outputs: signature?.outputs ?? [] },
      forever,
    );
    expect(outputs).toEqual(inputs.map((input) => ({ ...input, name: `out_${input.name}` })));
  });

  test.each<[string, () => Uint8Array, RegExp]>([
    ["no model at all", () => Uint8Array.of(1, 2, 3), /model\.onnx: is no model that ONNX Runtime loads: /],
    [
      "strings",
      () => identityFile([{ name: "x", datatype: "BYTES", shape: [1] }]),
      /model\.onnx: x holds string, which is not served; .*out_x/,
    ],
    [
      "an operator that there is not",
      () => {
        const x: OnnxTensor = { name: "x", datatype: "FP32", shape: [1] };
        return onnxFile([x], [{ op: "Nonsense", inputs: ["x"], output: "y" }], [{ ...x, name: "y" }]);
      },
      /model\.onnx: is no model that ONNX Runtime loads: .*Nonsense/,
    ],
  ])("a file with %s: the start fails and names it", async (_, bytes, problem) => {
    await expect(start(bytes())).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringMatching(problem) as string,
    });
  });

  test("a file that changed since it was scanned is not served", async () => {
    const file = await modelFile(identityFile([{ name: "x", datatype: "FP32", shape: [1] }]));
    const models = [{ ...file, sha256: "0".repeat(64) }];
    await expect(WorkerPool.start({ models, workers: 2, queueLimit: 1, logger })).rejects.toThrow(
      /changed while it was served: its sha256 was 0{64}/,
    );
  });

  test("inputs that only the model can judge fail as internal, and the next request is answered", async () => {
    const tensor = (name: string): OnnxTensor => ({ name, datatype: "FP32", shape: [name] });
    await using pool = await start(
      onnxFile([tensor("a"), tensor("b")], [{ op: "Add", inputs: ["a", "b"], output: "c" }], [tensor("c")]),
    );
    const request = (a: number, b: number): RunRequest => ({
      model: "m/1",
      inputs: Object.entries({ a, b }).map(([name, size]) => ({
        name,
        datatype: "FP32",
        shape: [size],
        bytes: new Uint8Array(4 * size),
      })),
      outputs: [{ name: "c", datatype: "FP32" }],
    });
    await expect(pool.run(request(2, 3), forever)).rejects.toMatchObject({ code: "internal" });
    const { outputs } = await pool.run(request(3, 3), forever);
    expect(outputs[0]?.shape).toEqual([3]);
  });
});
