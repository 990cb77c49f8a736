import type { InferTensorContents } from "@hedgerow/proto/inference/grpc_predict_v2";
import { type ContentsField, type Datatype, traitsOf } from "./datatype.ts";

export type BytesResult =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly problem: string };

export const CONTENTS_FIELDS = [
  "boolContents",
  "intContents",
  "int64Contents",
  "uintContents",
  "uint64Contents",
  "fp32Contents",
  "fp64Contents",
  "bytesContents",
] as const satisfies readonly (keyof InferTensorContents)[];

export function isEmptyContents(contents: InferTensorContents): boolean {
  return CONTENTS_FIELDS.every((field) => contents[field].length === 0);
}

/** As the .proto spells it. */
const protoName = (field: string) => field.replace("Contents", "_contents");

/** Typed values from the wire as `count` little-endian elements of `datatype`, in a buffer of their own. */
export function bytesOfContents(contents: InferTensorContents, datatype: Datatype, count: number): BytesResult {
  const { contents: field, range } = traitsOf(datatype);
  if (field === undefined) return refuse(`${datatype} travels in raw_input_contents only, but came in contents`);
  const stray = CONTENTS_FIELDS.find((other) => other !== field && contents[other].length > 0);
  if (stray !== undefined)
    return refuse(`values came in ${protoName(stray)}, expected ${protoName(field)} for ${datatype}`);
  const values = contents[field];
  if (values.length !== count) return refuse(`${values.length} values in ${protoName(field)}, expected ${count}`);
  if (range !== undefined) {
    const [lowest, highest] = range;
    const index = contents[field as "intContents" | "uintContents"].findIndex((v) => v < lowest || v > highest);
    if (index >= 0)
      return refuse(`element ${index} is ${values[index]}, expected ${lowest} to ${highest} for ${datatype}`);
  }
  const { buffer, byteOffset, byteLength } = typedValues(contents, field, datatype);
  return { ok: true, bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}

const refuse = (problem: string): BytesResult => ({ ok: false, problem });

function typedValues(contents: InferTensorContents, field: ContentsField, datatype: Datatype): ArrayBufferView {
  switch (field) {
    case "boolContents":
      return Uint8Array.from(contents.boolContents, Number);
    case "intContents":
      return datatype === "INT8"
        ? Int8Array.from(contents.intContents)
        : datatype === "INT16"
          ? Int16Array.from(contents.intContents)
          : Int32Array.from(contents.intContents);
    case "uintContents":
      return datatype === "UINT8"
        ? Uint8Array.from(contents.uintContents)
        : datatype === "UINT16"
          ? Uint16Array.from(contents.uintContents)
          : Uint32Array.from(contents.uintContents);
    case "int64Contents":
      return BigInt64Array.from(contents.int64Contents);
    case "uint64Contents":
      return BigUint64Array.from(contents.uint64Contents);
    case "fp32Contents":
      return Float32Array.from(contents.fp32Contents);
    case "fp64Contents":
      return Float64Array.from(contents.fp64Contents);
  }
}
