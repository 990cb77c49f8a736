import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { slowFile } from "./testing/onnx-file.ts";
import { DIGITS_MODELS } from "./testing/running-predictor.ts";

let home: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "hedgerow-main-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await rm(home, { recursive: true });
});

interface Line {
  readonly msg: string;
  readonly address?: string;
  readonly port_name?: string;
  readonly error?: string;
  readonly finished?: boolean;
}

/** main as its own process, on free ports, with an empty home. */
function start(env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env: {
      HOME: home,
      XDG_CACHE_HOME: join(home, "cache"),
      HEDGEROW_LISTEN: "127.0.0.1:0",
      HEDGEROW_METRICS_LISTEN: "127.0.0.1:0",
      HEDGEROW_WORKERS: "1",
      ...env,
    },
  });
  children.push(child);
  const lines: Line[] = [];
  const output = createInterface({ input: child.stdout });
  output.on("line", (line) => lines.push(JSON.parse(line) as Line));
  const errors: string[] = [];
  child.stderr.on("data", (text: Buffer) => errors.push(String(text)));
  const exited = once(child, "close").then(([code, signal]) => (signal ?? code) as unknown);
  /** Resolves to the first line that fits; rejects when the process ends without one. */
  async function line(fits: (line: Line) => boolean): Promise<Line> {
    for (;;) {
      const found = lines.find(fits);
      if (found !== undefined) return found;
      const ended = await Promise.race([once(output, "line").then(() => false), exited.then(() => true)]);
      if (ended && !lines.some(fits)) throw new Error(`ended without the line: ${errors.join("")}`);
    }
  }
  const address = async (port: string) => (await line(({ port_name }) => port_name === port)).address ?? "";
  return { child, lines, errors, exited, line, address };
}

test("serves, drains on SIGTERM, ends with status 0, and leaves nothing in its home: no telemetry", async () => {
  const main = start({ HEDGEROW_MODELS: DIGITS_MODELS });
  const baseUrl = `http://${await main.address("inference")}`;
  const client = createClient(GRPCInferenceService, createGrpcTransport({ baseUrl }));
  const answer = await client.modelInfer({
    modelName: "digits",
    inputs: [{ name: "image", datatype: "FP32", shape: [1n, 784n] }],
    rawInputContents: [new Uint8Array(4 * 784)],
  });
  expect(answer.rawOutputContents[0]).toHaveLength(8);
  main.child.kill("SIGTERM");
  expect(await main.exited).toBe(0);
  expect(main.lines.map(({ msg }) => msg)).toEqual([
    "Listening",
    "Model loaded",
    "Model loaded",
    "Listening",
    "Draining",
    "Stopped",
  ]);
  expect(main.errors).toEqual([]);
  expect(await readdir(home)).toEqual([]);
});

test("SIGTERM in the middle of an inference: the caller gets the answer, then the process ends with status 0", async () => {
  await mkdir(join(home, "models/slow/1"), { recursive: true });
  await writeFile(join(home, "models/slow/1/model.onnx"), slowFile(40));
  const main = start({ HEDGEROW_MODELS: join(home, "models") });
  const client = createClient(
    GRPCInferenceService,
    createGrpcTransport({ baseUrl: `http://${await main.address("inference")}` }),
  );
  const answer = client.modelInfer({
    modelName: "slow",
    inputs: [{ name: "x", datatype: "FP32", shape: [512n, 512n] }],
    rawInputContents: [new Uint8Array(4 * 512 * 512)],
  });
  const metrics = `http://${await main.address("metrics")}/metrics`;
  while (!(await (await fetch(metrics)).text()).includes("hedgerow_predictor_workers_busy 1\n"))
    expect(main.child.exitCode).toBeNull();
  main.child.kill("SIGTERM");
  expect((await answer).outputs[0]?.shape).toEqual([512n, 512n]);
  expect(await main.exited).toBe(0);
  expect(main.lines.at(-1)).toMatchObject({ msg: "Stopped", finished: true });
});

describe("what can't start says why", () => {
  test("every problem of the environment, status 2", async () => {
    const main = start({ HEDGEROW_WORKERS: "many" });
    expect(await main.exited).toBe(2);
    expect(main.errors.join("")).toBe(
      'HEDGEROW_MODELS: "", expected the path of a directory of NAME/VERSION/model.onnx\n' +
        'HEDGEROW_WORKERS: "many", expected an integer from 1 to 256\n',
    );
  });

  test("a broken model, by its file, status 1", async () => {
    const file = join(home, "models/broken/1/model.onnx");
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, "no model");
    const main = start({ HEDGEROW_MODELS: join(home, "models"), HEDGEROW_WORKERS: "2" });
    expect(await main.exited).toBe(1);
    expect(main.lines.at(-1)?.msg).toBe("Start failed");
    expect(main.lines.at(-1)?.error).toContain(`${file}: is no model that ONNX Runtime loads: `);
  });

  test("a port that is taken, status 1", async () => {
    const first = start({ HEDGEROW_MODELS: DIGITS_MODELS });
    const second = start({ HEDGEROW_MODELS: DIGITS_MODELS, HEDGEROW_LISTEN: await first.address("inference") });
    expect(await second.exited).toBe(1);
    expect(second.lines.at(-1)?.error).toContain("EADDRINUSE");
  });
});
