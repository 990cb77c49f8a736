// The datatypes of the Open Inference Protocol whose elements all have one width; BYTES (strings) is not among them.

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
  /** Undefined: it travels in raw_input_contents only. */
  readonly contents: ContentsField | undefined;
  /** The values of an integer that shares its contents field with wider ones. */
  readonly range?: readonly [lowest: number, highest: number];
}

/** Source: https://github.com/kserve/open-inference-protocol, "Tensor Data Types"; FP16 has no contents field. */
export const DATATYPES = {
  BOOL: { bytes: 1, contents: "boolContents" },
  UINT8: { bytes: 1, contents: "uintContents", range: [0, 255] },
  UINT16: { bytes: 2, contents: "uintContents", range: [0, 65_535] },
  UINT32: { bytes: 4, contents: "uintContents" },
  UINT64: { bytes: 8, contents: "uint64Contents" },
  INT8: { bytes: 1, contents: "intContents", range: [-128, 127] },
  INT16: { bytes: 2, contents: "intContents", range: [-32_768, 32_767] },
  INT32: { bytes: 4, contents: "intContents" },
  INT64: { bytes: 8, contents: "int64Contents" },
  FP16: { bytes: 2, contents: undefined },
  FP32: { bytes: 4, contents: "fp32Contents" },
  FP64: { bytes: 8, contents: "fp64Contents" },
} as const satisfies Readonly<Record<string, DatatypeTraits>>;

export type Datatype = keyof typeof DATATYPES;

/** What a datatype's elements are. */
export function traitsOf(datatype: Datatype): DatatypeTraits {
  return DATATYPES[datatype];
}
