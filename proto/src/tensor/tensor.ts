import { type Datatype, traitsOf } from "./datatype.ts";

/** A checked tensor: `bytes` are little-endian, row-major and exactly as many as `shape` and `datatype` ask for. */
export interface Tensor {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  /** A view of any alignment, perhaps into the request's own buffer. */
  readonly bytes: Uint8Array;
}

/** ONNX itself sets no bound; numpy's is 64 and no known model comes near. */
export const MOST_DIMENSIONS = 32;

/** Elements of a shape; of the empty shape (a scalar) 1. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Every element as a typed array of the datatype's own width, FP16 as its bits. Copies only what is not aligned. */
export function typedElements(datatype: Datatype, bytes: Uint8Array) {
  const width = traitsOf(datatype).bytes;
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const count = byteLength / width;
  // Every platform that Node runs on is little-endian, as the protocol is.
  switch (datatype) {
    case "BOOL":
    case "UINT8":
      return new Uint8Array(buffer, byteOffset, count);
    case "UINT16":
    case "FP16":
      return new Uint16Array(buffer, byteOffset, count);
    case "UINT32":
      return new Uint32Array(buffer, byteOffset, count);
    case "UINT64":
      return new BigUint64Array(buffer, byteOffset, count);
    case "INT8":
      return new Int8Array(buffer, byteOffset, count);
    case "INT16":
      return new Int16Array(buffer, byteOffset, count);
    case "INT32":
      return new Int32Array(buffer, byteOffset, count);
    case "INT64":
      return new BigInt64Array(buffer, byteOffset, count);
    case "FP32":
      return new Float32Array(buffer, byteOffset, count);
    case "FP64":
      return new Float64Array(buffer, byteOffset, count);
  }
}
