// The datatypes of the Open Inference Protocol that ONNX Runtime computes with. BYTES (strings) is not among them yet.

/** The field of InferTensorContents that carries a datatype's values. */
export type ContentsField =
  | "boolContents"
  | "intContents"
  | "int64Contents"
  | "uintContents"
  | "uint64Contents"
  | "fp32Contents"
  | "fp64Contents";

interface DatatypeTraits {
  /** Bytes of one element. */
  readonly bytes: 1 | 2 | 4 | 8;
  /** What onnxruntime-node calls it. */
  readonly runtimeType: string;
  /** Undefined: it travels in raw_input_contents only. */
  readonly contents: ContentsField | undefined;
  /** The values of an integer that shares its contents field with wider ones. */
  readonly range?: readonly [lowest: number, highest: number];
}

/** Source: https://github.com/kserve/open-inference-protocol, "Tensor Data Types"; FP16 has no contents field. */
export const DATATYPES = {
  BOOL: { bytes: 1, runtimeType: "bool", contents: "boolContents" },
  UINT8: { bytes: 1, runtimeType: "uint8", contents: "uintContents", range: [0, 255] },
  UINT16: { bytes: 2, runtimeType: "uint16", contents: "uintContents", range: [0, 65_535] },
  UINT32: { bytes: 4, runtimeType: "uint32", contents: "uintContents" },
  UINT64: { bytes: 8, runtimeType: "uint64", contents: "uint64Contents" },
  INT8: { bytes: 1, runtimeType: "int8", contents: "intContents", range: [-128, 127] },
  INT16: { bytes: 2, runtimeType: "int16", contents: "intContents", range: [-32_768, 32_767] },
  INT32: { bytes: 4, runtimeType: "int32", contents: "intContents" },
  INT64: { bytes: 8, runtimeType: "int64", contents: "int64Contents" },
  FP16: { bytes: 2, runtimeType: "float16", contents: undefined },
  FP32: { bytes: 4, runtimeType: "float32", contents: "fp32Contents" },
  FP64: { bytes: 8, runtimeType: "float64", contents: "fp64Contents" },
} as const satisfies Readonly<Record<string, DatatypeTraits>>;

export type Datatype = keyof typeof DATATYPES;

/** What a datatype's elements are. */
export function traitsOf(datatype: Datatype): DatatypeTraits {
  return DATATYPES[datatype];
}

/** The datatype that onnxruntime-node calls `runtimeType`, if we serve it. */
export function datatypeOfRuntime(runtimeType: string): Datatype | undefined {
  return DATATYPE_OF_RUNTIME.get(runtimeType);
}

const DATATYPE_OF_RUNTIME: ReadonlyMap<string, Datatype> = new Map(
  (Object.keys(DATATYPES) as Datatype[]).map((datatype) => [DATATYPES[datatype].runtimeType, datatype]),
);
