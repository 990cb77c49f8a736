import type { ModelInferRequest, ModelInferRequest_InferInputTensor } from "@hedgerow/proto/inference/grpc_predict_v2";
import {
  type BytesResult,
  bytesOfContents,
  elementCount,
  isEmptyContents,
  type Tensor,
  traitsOf,
} from "@hedgerow/proto/tensor";
import type { ModelSignature } from "../model/signature.ts";
import type { TensorSpec } from "../model/tensor-spec.ts";
import { quoted } from "../text/quoted.ts";
import { checkShape, countText } from "./tensor-shape.ts";

/** A request that fits its model. */
export interface InferCall {
  /** One for each input of the model, in the request's order. */
  readonly inputs: readonly Tensor[];
  /** Names of the outputs to answer with, in the order asked for; all, in the model's order, where none was named. */
  readonly outputs: readonly string[];
  /** The caller sent raw_input_contents and is answered in raw_output_contents. */
  readonly raw: boolean;
}

export type InferCallResult =
  | { readonly ok: true; readonly value: InferCall }
  | { readonly ok: false; readonly problems: readonly string[] };

export interface DecodeLimits {
  /** Of one tensor. */
  readonly maxElements: number;
}

/**
 * Checks a request against the model that it names, and collects every problem. Each one names the tensor, what it got
 * and what it expected. Tensors that came raw are views into the request's buffer.
 */
export function decodeInferRequest(
  request: ModelInferRequest,
  model: ModelSignature,
  limits: DecodeLimits,
): InferCallResult {
  const problems: string[] = [];
  const raw = request.rawInputContents.length > 0;
  if (raw && request.rawInputContents.length !== request.inputs.length)
    problems.push(
      `${request.rawInputContents.length} entries in raw_input_contents, expected one for each of ${request.inputs.length} inputs`,
    );

  const inputs: Tensor[] = [];
  const seen = new Set<string>();
  for (const [index, input] of request.inputs.entries()) {
    const spec = model.inputs.find((candidate) => candidate.name === input.name);
    const decoded =
      spec === undefined
        ? refuse(`the model has no such input, expected ${names(model.inputs)}`)
        : seen.has(input.name)
          ? refuse("named twice")
          : decodeInput(input, raw ? (request.rawInputContents[index] ?? "absent") : undefined, spec, limits);
    seen.add(input.name);
    if (decoded.ok) inputs.push(decoded.tensor);
    else for (const problem of decoded.problems) problems.push(`input ${quoted(input.name)}: ${problem}`);
  }
  for (const spec of model.inputs)
    if (!seen.has(spec.name)) problems.push(`input ${quoted(spec.name)}: missing, expected ${spec.datatype}`);

  const outputs = new Set<string>();
  for (const { name } of request.outputs) {
    if (!model.outputs.some((spec) => spec.name === name))
      problems.push(`output ${quoted(name)}: the model has no such output, expected ${names(model.outputs)}`);
    else if (outputs.has(name)) problems.push(`output ${quoted(name)}: asked for twice`);
    outputs.add(name);
  }

  if (problems.length > 0) return { ok: false, problems };
  const asked = outputs.size > 0 ? [...outputs] : model.outputs.map((spec) => spec.name);
  return { ok: true, value: { inputs, outputs: asked, raw } };
}

type InputResult =
  | { readonly ok: true; readonly tensor: Tensor }
  | { readonly ok: false; readonly problems: readonly string[] };

const refuse = (...problems: string[]): InputResult => ({ ok: false, problems });

/** `raw`: the input's raw bytes; undefined where the request has none at all, "absent" where it has too few. */
function decodeInput(
  input: ModelInferRequest_InferInputTensor,
  raw: Uint8Array | "absent" | undefined,
  spec: TensorSpec,
  limits: DecodeLimits,
): InputResult {
  const { name, datatype } = spec;
  const problems: string[] = [];
  if (input.datatype !== datatype) problems.push(`datatype ${quoted(input.datatype)}, expected ${datatype}`);
  const checked = checkShape(input.shape, spec, limits.maxElements);
  if (!checked.ok) problems.push(checked.problem);
  // Some clients always send contents, if only empty.
  if (raw !== undefined && input.contents !== undefined && !isEmptyContents(input.contents))
    problems.push("both contents and raw_input_contents, expected one");
  // What the data should be is known only where the rest is right; that an entry is absent is said of the request.
  if (problems.length > 0 || !checked.ok || raw === "absent") return refuse(...problems);
  const { shape } = checked;
  const data =
    raw !== undefined
      ? bytesOfRaw(raw, spec, shape)
      : input.contents !== undefined
        ? bytesOfContents(input.contents, datatype, elementCount(shape))
        : { ok: false as const, problem: "neither contents nor raw_input_contents, expected one" };
  return data.ok ? { ok: true, tensor: { name, datatype, shape, bytes: data.bytes } } : refuse(data.problem);
}

function bytesOfRaw(raw: Uint8Array, { datatype }: TensorSpec, shape: readonly number[]): BytesResult {
  const width = traitsOf(datatype).bytes;
  if (raw.byteLength !== elementCount(shape) * width)
    return { ok: false, problem: `${raw.byteLength} raw bytes, expected ${countText(shape, width)}` };
  // The runtime takes these bytes for C++ bools, where anything else is undefined behaviour.
  const odd = datatype === "BOOL" ? raw.findIndex((byte) => byte > 1) : -1;
  if (odd >= 0) return { ok: false, problem: `element ${odd} is ${raw[odd]}, expected 0 or 1 for BOOL` };
  return { ok: true, bytes: raw };
}

const names = (specs: readonly TensorSpec[]) =>
  `${specs
    .slice(0, 8)
    .map((spec) => quoted(spec.name))
    .join(", ")}${specs.length > 8 ? ", …" : ""}`;
