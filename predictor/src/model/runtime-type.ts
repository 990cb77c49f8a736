import { DATATYPES, type Datatype } from "@hedgerow/proto/tensor";

/** What onnxruntime-node calls each datatype. */
export const RUNTIME_TYPES = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
} as const satisfies Readonly<Record<Datatype, string>>;

/** The datatype that onnxruntime-node calls `runtimeType`, if we serve it. */
export function datatypeOfRuntime(runtimeType: string): Datatype | undefined {
  return DATATYPE_OF_RUNTIME.get(runtimeType);
}

const DATATYPE_OF_RUNTIME: ReadonlyMap<string, Datatype> = new Map(
  (Object.keys(DATATYPES) as Datatype[]).map((datatype) => [RUNTIME_TYPES[datatype], datatype]),
);
