import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { scanBinary } from "./scan-binary.ts";

const limits = { maxObjects: 100, maxValues: 1000 };
const scan = (bytes: Uint8Array) => scanBinary(ModelInferRequestSchema, bytes, limits);
const valid = toBinary(
  ModelInferRequestSchema,
  create(ModelInferRequestSchema, {
    modelName: "digits",
    id: "id",
    parameters: { p: { parameterChoice: { case: "int64Param", value: 5n } } },
    inputs: [
      {
        name: "image",
        datatype: "FP32",
        shape: [1n, 784n],
        contents: {
          fp32Contents: [1.5, 2.5],
          boolContents: [true],
          int64Contents: [-1n],
          bytesContents: [new Uint8Array(3)],
        },
      },
    ],
    outputs: [{ name: "label" }],
    rawInputContents: [new Uint8Array(9)],
  }),
);

describe("well-formed", () => {
  test.each([
    ["empty", new Uint8Array()],
    ["every kind of field", valid],
    ["an unknown field", new BinaryWriter().tag(99, WireType.LengthDelimited).string("x").finish()],
    [
      "repeated numbers, unpacked",
      inputWith((w) => w.tag(3, WireType.Varint).int64(1).tag(3, WireType.Varint).int64(2)),
    ],
  ])("%s", (_, bytes) => {
    expect(scan(bytes)).toEqual({ ok: true });
  });
});

function inputWith(write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter().tag(5, WireType.LengthDelimited).fork();
  write(writer);
  return writer.join().finish();
}

describe("not well-formed", () => {
  test.each([
    ["cut short", valid.subarray(0, valid.length - 1), /raw_input_contents claims 9 bytes, 8 are left/],
    [
      "a field of another wire type",
      new BinaryWriter().tag(1, WireType.Varint).uint32(1).finish(),
      /model_name has wire type 0, expected 2/,
    ],
    [
      "a string that is not UTF-8",
      new BinaryWriter()
        .tag(1, WireType.LengthDelimited)
        .bytes(new Uint8Array([0xff]))
        .finish(),
      /model_name is not UTF-8/,
    ],
    [
      "a length that runs over its parent",
      inputWith((w) => w.raw(Uint8Array.of(0x0a, 0x7f))),
      /name claims 127 bytes, 0 are left/,
    ],
    [
      "a packed number without an end",
      inputWith((w) => w.raw(Uint8Array.of(0x1a, 1, 0x80))),
      /shape ends within a number/,
    ],
    [
      "a packed number that never ends",
      inputWith((w) => w.raw(Uint8Array.of(0x1a, 12, ...Array(11).fill(0x80), 1))),
      /more than 10 bytes/,
    ],
    ["garbage", Uint8Array.from({ length: 50 }, (_, i) => 251 - i), /./],
  ])("%s", (_, bytes, problem) => {
    expect(scan(bytes)).toEqual({ ok: false, kind: "malformed", problem: expect.stringMatching(problem) as string });
  });
});

describe("too large", () => {
  test("a million inputs are counted, not built", () => {
    const million = new Uint8Array(2_000_000);
    for (let i = 0; i < million.length; i += 2) million[i] = (5 << 3) | WireType.LengthDelimited;
    const before = process.memoryUsage().heapUsed;
    const problem = "more than 100 tensors, parameters and strings";
    expect(scan(million)).toEqual({ ok: false, kind: "too_large", problem });
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
  });

  test.each([
    ["dimensions", inputWith((w) => w.tag(3, WireType.LengthDelimited).bytes(new Uint8Array(1001)))],
    [
      "values",
      inputWith((w) =>
        w.tag(5, WireType.LengthDelimited).fork().tag(6, WireType.LengthDelimited).bytes(new Uint8Array(4004)).join(),
      ),
    ],
  ])("%s", (_, bytes) => {
    const problem = "more than 1000 values outside raw_input_contents";
    expect(scan(bytes)).toEqual({ ok: false, kind: "too_large", problem });
  });
});

test("what passes the scan is decoded without an error, whatever was done to it", () => {
  const edits = fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 });
  const decodes = fc.property(edits, fc.nat(valid.length), (changes, length) => {
    const bytes = valid.slice(0, length);
    for (const [at, value] of changes) if (at < length) bytes[at] = value;
    if (scan(bytes).ok) fromBinary(ModelInferRequestSchema, bytes);
  });
  expect(fc.check(decodes, { numRuns: 5000 })).toMatchObject({ failed: false });
});
