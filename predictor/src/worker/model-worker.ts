// A worker thread: every model, one request at a time. onnxruntime's run() blocks its thread for as long as it computes.
import { parentPort, workerData } from "node:worker_threads";
import { type Tensor, typedElements } from "@hedgerow/proto/tensor";
import { type InferenceSession, Tensor as RuntimeTensor } from "onnxruntime-node";
import { messageOf } from "../errors.ts";
import { RUNTIME_TYPES } from "../model/runtime-type.ts";
import { type ModelSignature, modelKey } from "../model/signature.ts";
import { loadModel } from "./load-model.ts";
import type { RunRequest, WorkerOrder, WorkerReport, WorkerStart } from "./messages.ts";
import { ownBuffer } from "./own-buffer.ts";

if (parentPort === null) throw new Error("model-worker runs as a worker thread only");
const port = parentPort;
const report = (message: WorkerReport, transfer: readonly ArrayBuffer[] = []) => port.postMessage(message, transfer);

// onnxruntime-node 1.30 takes a Float16Array for empty; without one in this thread it uses Uint16Array. It looks when it
// makes its first tensor. Source: https://github.com/microsoft/onnxruntime/pull/32323
Reflect.deleteProperty(globalThis, "Float16Array");

const sessions = new Map<string, InferenceSession>();
const signatures: ModelSignature[] = [];
const problems: string[] = [];
for (const file of (workerData as WorkerStart).models) {
  const loaded = await loadModel(file);
  if (loaded.ok) {
    sessions.set(modelKey(file), loaded.session);
    signatures.push(loaded.signature);
  } else problems.push(...loaded.problems);
}
if (problems.length > 0) report({ kind: "load_failed", problems });
else {
  port.on("message", (order: WorkerOrder) => {
    if (order.kind === "run") void run(order.request);
    else port.close();
  });
  report({ kind: "loaded", signatures });
}

async function run(request: RunRequest): Promise<void> {
  try {
    const session = sessions.get(request.model);
    if (session === undefined) throw new Error(`model ${request.model} is not loaded`);
    const started = performance.now();
    const results = await session.run(
      Object.fromEntries(request.inputs.map((input) => [input.name, toRuntime(input)])),
      request.outputs.map(({ name }) => name),
    );
    const runMs = performance.now() - started;
    const outputs = request.outputs.map(({ name, datatype }) => {
      const result = results[name];
      if (result === undefined || typeof result.data === "string" || !ArrayBuffer.isView(result.data))
        throw new Error(`output ${name} came without data`);
      return { name, datatype, shape: result.dims, bytes: ownBuffer(result.data) };
    });
    report(
      { kind: "done", outputs, runMs },
      outputs.map(({ bytes }) => bytes.buffer),
    );
  } catch (error) {
    report({ kind: "failed", message: messageOf(error) });
  }
}

function toRuntime({ datatype, bytes, shape }: Tensor): RuntimeTensor {
  const type = RUNTIME_TYPES[datatype] as "float32";
  return new RuntimeTensor(type, typedElements(datatype, bytes) as Float32Array, [...shape]);
}
