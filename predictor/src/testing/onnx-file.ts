import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { Datatype } from "@hedgerow/proto/tensor";

// Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, TensorProto.DataType.
const ELEMENT_TYPE: Readonly<Record<Datatype | "BYTES", number>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
};

export interface OnnxTensor {
  readonly name: string;
  readonly datatype: Datatype | "BYTES";
  /** A string is a symbolic dimension. */
  readonly shape: readonly (number | string)[];
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
}

/** A real model file, by hand: for the tests that digits can't serve. */
export function onnxFile(
  inputs: readonly OnnxTensor[],
  nodes: readonly OnnxNode[],
  outputs: readonly OnnxTensor[],
): Uint8Array {
  const graph = new BinaryWriter();
  for (const { op, inputs: from, output } of nodes)
    nested(graph, 1, (node) => {
      for (const name of from) text(node, 1, name);
      text(node, 2, output);
      text(node, 4, op);
    });
  text(graph, 2, "test");
  for (const tensor of inputs) nested(graph, 11, (value) => describe(value, tensor));
  for (const tensor of outputs) nested(graph, 12, (value) => describe(value, tensor));
  const model = new BinaryWriter();
  model.tag(1, WireType.Varint).int64(8);
  model.tag(7, WireType.LengthDelimited).bytes(graph.finish());
  nested(model, 8, (opset) => opset.tag(2, WireType.Varint).int64(17));
  return model.finish();
}

/** `out_X` repeats `X`, for each of the tensors. */
export function identityFile(tensors: readonly OnnxTensor[]): Uint8Array {
  return onnxFile(
    tensors,
    tensors.map(({ name }) => ({ op: "Identity", inputs: [name], output: `out_${name}` })),
    tensors.map((tensor) => ({ ...tensor, name: `out_${tensor.name}` })),
  );
}

/** Multiplies a square matrix by itself, again and again: as slow as one likes. */
export function slowFile(rounds: number): Uint8Array {
  const nodes = Array.from({ length: rounds }, (_, index) => ({
    op: "MatMul",
    inputs: [index === 0 ? "x" : `y${index}`, "x"],
    output: index === rounds - 1 ? "y" : `y${index + 1}`,
  }));
  const tensor = (name: string) => ({ name, datatype: "FP32" as const, shape: ["n", "n"] });
  return onnxFile([tensor("x")], nodes, [tensor("y")]);
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function nested(writer: BinaryWriter, field: number, write: (inner: BinaryWriter) => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write(writer);
  writer.join();
}

function describe(value: BinaryWriter, { name, datatype, shape }: OnnxTensor): void {
  text(value, 1, name);
  nested(value, 2, (type) =>
    nested(type, 1, (tensor) => {
      tensor.tag(1, WireType.Varint).int32(ELEMENT_TYPE[datatype]);
      nested(tensor, 2, (dimensions) => {
        for (const size of shape)
          nested(dimensions, 1, (dimension) => {
            if (typeof size === "number") dimension.tag(1, WireType.Varint).int64(size);
            else text(dimension, 2, size);
          });
      });
    }),
  );
}
