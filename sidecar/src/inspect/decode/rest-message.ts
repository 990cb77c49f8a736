// REST of the Open Inference Protocol, and its binary tensor extension.
// Source: https://github.com/kserve/open-inference-protocol, "HTTP/REST"; https://github.com/triton-inference-server/server,
// docs/protocol/extension_binary_data.md.
import { REQUEST_SCAN_LIMITS, scanJson } from "@hedgerow/proto/scan";
import type { Problem } from "./envelope.ts";
import { readJsonData } from "./json-data.ts";
import { rawProblem, wireDatatype } from "./raw-data.ts";
import type { InferRead, TensorView } from "./read-result.ts";
import { readShape } from "./shape.ts";
import { nameForRecord, readsElsewhere } from "./tensors.ts";

export type RestResult =
  | { readonly ok: true; readonly value: Pick<InferRead, "id" | "inputs"> }
  | { readonly ok: false; readonly problem: Problem };

type Fields = Readonly<Record<string, unknown>>;

class Refusal extends Error {}
const fail = (message: string): never => {
  throw new Refusal(message);
};

/**
 * `headerLength`: what Inference-Header-Content-Length says, or "" where it is absent. `model` and `version` are the
 * path's; a body that names others is refused.
 */
export function readRestMessage(
  bytes: Uint8Array,
  headerLength: string,
  model: string,
  version: string | undefined,
): RestResult {
  const jsonBytes = headerLength === "" ? bytes.byteLength : Number(headerLength);
  if (!/^\d{0,10}$/.test(headerLength) || jsonBytes > bytes.byteLength)
    return refuse("malformed", "an inference-header-content-length that is not within the body");
  const scanned = scanJson(bytes.subarray(0, jsonBytes), { ...REQUEST_SCAN_LIMITS, listsAreValues: true });
  if (!scanned.ok) return refuse(scanned.kind, scanned.problem);
  try {
    const request = fieldsOf(parseJson(scanned.text, scanned.longNumbers), "the request");
    for (const [key, expected] of [
      ["model_name", model],
      ["model_version", version ?? ""],
    ] as const)
      if (request[key] !== undefined && request[key] !== expected) fail(`${key} is not the path's`);
    const id = request["id"] ?? "";
    if (typeof id !== "string" || !id.isWellFormed()) return refuse("malformed", "an id that is no text");
    if (readsElsewhere(parametersOf(request))) return refuse("malformed", "parameters point to shared memory");
    const inputs = request["inputs"];
    if (!Array.isArray(inputs)) return refuse("malformed", "inputs that are no list");
    const binary = new BinaryTail(headerLength === "" ? undefined : bytes.subarray(jsonBytes));
    const views = inputs.map((input) => readInput(fieldsOf(input, "an input"), binary));
    if (new Set(views.map(({ name }) => name)).size !== views.length) fail("an input named twice");
    binary.finish();
    return { ok: true, value: { id, inputs: views } };
  } catch (error) {
    return refuse("malformed", error instanceof Error ? error.message : String(error));
  }
}

const refuse = (reason: Problem["reason"], message: string): RestResult => ({
  ok: false,
  problem: { reason, message },
});

/** Integers beyond what a number holds become bigint where there are any. */
function parseJson(text: string, longNumbers: boolean): unknown {
  if (!longNumbers) return JSON.parse(text);
  const exact = (_: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context?.source ?? 0)
      : value;
  return JSON.parse(text, exact);
}

function fieldsOf(value: unknown, what: string): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : fail(`${what} is no object`);
}

const parametersOf = (fields: Fields) =>
  fields["parameters"] === undefined ? {} : fieldsOf(fields["parameters"], "parameters");

/** What follows the JSON: each input's bytes in turn, and nothing else. */
class BinaryTail {
  readonly #bytes: Uint8Array | undefined;
  #at = 0;

  /** Undefined: the request has none. */
  constructor(bytes: Uint8Array | undefined) {
    this.#bytes = bytes;
  }

  take(size: unknown): Uint8Array {
    if (this.#bytes === undefined) return fail("binary_data_size without inference-header-content-length");
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0) return fail("binary_data_size is no size");
    const end = this.#at + size;
    if (end > this.#bytes.byteLength) return fail("more binary data is claimed than there is");
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  finish(): void {
    const left = (this.#bytes?.byteLength ?? 0) - this.#at;
    if (left > 0) fail(`${left} bytes follow that belong to no input`);
  }
}

function readInput(input: Fields, binary: BinaryTail): TensorView {
  const { name, shape: wireShape, data } = input;
  if (typeof name !== "string" || !name.isWellFormed()) return fail("an input whose name is no text");
  const failed = (problem: string) => fail(`${nameForRecord(name)}: ${problem}`);
  const wanted = input["datatype"];
  const datatype = typeof wanted === "string" ? wireDatatype(wanted) : undefined;
  if (datatype === undefined) return failed("unknown datatype");
  const parameters = parametersOf(input);
  if (readsElsewhere(parameters)) return failed("its data lies in shared memory, which can't be seen");
  if (!Array.isArray(wireShape)) return failed("a shape that is no list");
  const read = readShape(wireShape);
  if (!read.ok) return failed(read.problem);
  const { shape, count } = read;
  const binarySize = parameters["binary_data_size"];
  if (binarySize !== undefined) {
    if (data !== undefined) return failed("both data and binary data");
    const bytes = binary.take(binarySize);
    const problem = rawProblem(bytes, datatype, count);
    return problem === undefined ? { name, datatype, shape, data: { kind: "bytes", bytes } } : failed(problem);
  }
  const values = readJsonData(data, datatype, shape, count);
  return values.ok
    ? { name, datatype, shape, data: { kind: "values", values: values.values } }
    : failed(values.problem);
}
