// The tensors of a ModelInferRequest, without a model to hold them against.
import type { ModelInferRequest, ModelInferRequest_InferInputTensor } from "@hedgerow/proto/inference/grpc_predict_v2";
import { CONTENTS_FIELDS, DATATYPES, isEmptyContents } from "@hedgerow/proto/tensor";
import { rawProblem, wireDatatype } from "./raw-data.ts";
import type { TensorView } from "./read-result.ts";
import { readShape } from "./shape.ts";

export type TensorsResult =
  | { readonly ok: true; readonly inputs: readonly TensorView[] }
  | { readonly ok: false; readonly problem: string };

export function readTensors(request: ModelInferRequest): TensorsResult {
  const raw = request.rawInputContents;
  if (raw.length > 0 && raw.length !== request.inputs.length)
    return refuse(`${raw.length} entries in raw_input_contents for ${request.inputs.length} inputs`);
  if (readsElsewhere(request.parameters)) return refuse("parameters point to shared memory, which can't be seen");
  const inputs: TensorView[] = [];
  const seen = new Set<string>();
  for (const [index, input] of request.inputs.entries()) {
    const view = readInput(input, raw.length > 0 ? raw[index] : undefined);
    if (typeof view === "string") return refuse(`${nameForRecord(input.name)}: ${view}`);
    if (seen.has(view.name)) return refuse(`${nameForRecord(input.name)}: named twice`);
    seen.add(view.name);
    inputs.push(view);
  }
  return { ok: true, inputs };
}

const refuse = (problem: string): TensorsResult => ({ ok: false, problem });

/** An input's name in a problem: quoted, and cut, whatever it holds. */
export const nameForRecord = (name: string) => `input ${JSON.stringify(name.slice(0, 64))}`;

/** Triton's extension: the tensor is not in the request, wherever its contents say that it were. */
export const readsElsewhere = (parameters: Readonly<Record<string, unknown>>) =>
  Object.keys(parameters).some((key) => key.startsWith("shared_memory_"));

function readInput(input: ModelInferRequest_InferInputTensor, raw: Uint8Array | undefined): TensorView | string {
  const { name, contents } = input;
  if (readsElsewhere(input.parameters)) return "its data lies in shared memory, which can't be seen";
  const datatype = wireDatatype(input.datatype);
  if (datatype === undefined) return `unknown datatype ${JSON.stringify(input.datatype.slice(0, 64))}`;
  const read = readShape(input.shape);
  if (!read.ok) return read.problem;
  const { shape, count } = read;
  if (raw !== undefined) {
    // Some clients always send contents, if only empty.
    if (contents !== undefined && !isEmptyContents(contents)) return "both contents and raw_input_contents";
    return rawProblem(raw, datatype, count) ?? { name, datatype, shape, data: { kind: "bytes", bytes: raw } };
  }
  if (contents === undefined) return "neither contents nor raw_input_contents";
  const traits = datatype === "BYTES" || datatype === "BF16" ? undefined : DATATYPES[datatype];
  const field = datatype === "BYTES" ? "bytesContents" : traits?.contents;
  if (field === undefined) return `${datatype} in contents, but it travels raw only`;
  const stray = CONTENTS_FIELDS.find((other) => other !== field && contents[other].length > 0);
  if (stray !== undefined) return `values in ${stray}, expected ${field} for ${datatype}`;
  const values: readonly (number | bigint | boolean | Uint8Array)[] = contents[field];
  if (values.length !== count) return `${values.length} values, expected ${count}`;
  if (traits !== undefined && "range" in traits) {
    const [lowest, highest] = traits.range;
    if (values.some((value) => typeof value !== "number" || value < lowest || value > highest))
      return `a value out of the range of ${datatype}`;
  }
  return { name, datatype, shape, data: { kind: "values", values } };
}
