import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { InferenceSession } from "onnxruntime-node";
import { messageOf } from "../errors.ts";
import { datatypeOfRuntime } from "../model/runtime-type.ts";
import type { ModelSignature } from "../model/signature.ts";
import type { TensorSpec } from "../model/tensor-spec.ts";
import type { ModelFile } from "./messages.ts";

export type LoadResult =
  | { readonly ok: true; readonly session: InferenceSession; readonly signature: ModelSignature }
  | { readonly ok: false; readonly problems: readonly string[] };

/** One thread a worker: the pool is the parallelism. The runtime's own log lines would break ours. */
const SESSION_OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ["cpu"],
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 4,
};

/** A session and signature of a model file, or every reason against it, each naming the file. */
export async function loadModel(file: ModelFile): Promise<LoadResult> {
  const { name, version, path, sha256 } = file;
  const refuse = (...reasons: string[]): LoadResult => ({
    ok: false,
    problems: reasons.map((reason) => `${path}: ${reason}`),
  });
  try {
    const bytes = await readFile(path);
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found !== sha256) return refuse(`changed while it was served: its sha256 was ${sha256} and is ${found}`);
    const session = await InferenceSession.create(bytes, SESSION_OPTIONS);
    const inputs = session.inputMetadata.map(describeTensor);
    const outputs = session.outputMetadata.map(describeTensor);
    const problems = [...inputs, ...outputs].filter((tensor) => typeof tensor === "string");
    if (problems.length > 0) return refuse(...problems);
    const isSpec = (tensor: TensorSpec | string) => typeof tensor !== "string";
    const signature = { name, version, sha256, inputs: inputs.filter(isSpec), outputs: outputs.filter(isSpec) };
    return { ok: true, session, signature };
  } catch (error) {
    return refuse(`is no model that ONNX Runtime loads: ${messageOf(error)}`);
  }
}

/** What the model says of a tensor, or why it can't be served. */
function describeTensor(metadata: InferenceSession.ValueMetadata): TensorSpec | string {
  if (!metadata.isTensor) return `${metadata.name} is a sequence or map, only tensors are served`;
  const datatype = datatypeOfRuntime(metadata.type);
  if (datatype === undefined) return `${metadata.name} holds ${metadata.type}, which is not served`;
  // The runtime says the same of a scalar and of a tensor of unknown rank: an empty shape.
  const shape =
    metadata.shape.length === 0 ? undefined : metadata.shape.map((size) => (typeof size === "number" ? size : -1));
  return { name: metadata.name, datatype, shape };
}
