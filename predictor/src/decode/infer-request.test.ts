import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type InferTensorContentsSchema, ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { DATATYPES, type Datatype } from "@hedgerow/proto/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeInferResponse } from "../encode/infer-response.ts";
import type { ModelSignature } from "../model/signature.ts";
import { problemList } from "../text/problem-list.ts";
import { decodeInferRequest } from "./infer-request.ts";

type Init = MessageInitShape<typeof ModelInferRequestSchema>;
const limits = { maxElements: 1000 };
const model: ModelSignature = {
  name: "m",
  version: "1",
  sha256: "",
  inputs: [
    { name: "image", datatype: "FP32", shape: [-1, 2] },
    { name: "flag", datatype: "BOOL", shape: [1] },
  ],
  outputs: [
    { name: "a", datatype: "FP32", shape: [-1] },
    { name: "b", datatype: "FP32", shape: [-1] },
  ],
};
const image = { name: "image", datatype: "FP32", shape: [1n, 2n], contents: { fp32Contents: [1, 2] } };
const flag = { name: "flag", datatype: "BOOL", shape: [1n], contents: { boolContents: [true] } };
const rawImage = { name: "image", datatype: "FP32", shape: [1n, 2n] };
const rawFlag = { name: "flag", datatype: "BOOL", shape: [1n] };
const decode = (init: Init) => decodeInferRequest(create(ModelInferRequestSchema, init), model, limits);

describe("what fits", () => {
  test("contents, inputs in any order, every output", () => {
    expect(decode({ inputs: [flag, image] })).toEqual({
      ok: true,
      value: {
        inputs: [
          { name: "flag", datatype: "BOOL", shape: [1], bytes: new Uint8Array([1]) },
          { name: "image", datatype: "FP32", shape: [1, 2], bytes: new Uint8Array([0, 0, 128, 63, 0, 0, 0, 64]) },
        ],
        outputs: ["a", "b"],
        raw: false,
      },
    });
  });

  test("raw bytes, with contents that are there but empty, one output", () => {
    const result = decode({
      inputs: [{ ...rawImage, contents: {} }, rawFlag],
      rawInputContents: [new Uint8Array(8), new Uint8Array(1)],
      outputs: [{ name: "b" }],
    });
    expect(result.ok && [result.value.raw, result.value.outputs]).toEqual([true, ["b"]]);
  });
});

describe("what does not fit is named, with what was expected and what came", () => {
  const rows: [string, Init, string[]][] = [
    ["empty", {}, ['input "image": missing, expected FP32', 'input "flag": missing, expected BOOL']],
    [
      "unknown input",
      { inputs: [image, flag, { ...image, name: "img" }] },
      ['input "img": the model has no such input, expected "image", "flag"'],
    ],
    ["input twice", { inputs: [image, flag, flag] }, ['input "flag": named twice']],
    ["datatype", { inputs: [{ ...image, datatype: "FP64" }, flag] }, ['input "image": datatype "FP64", expected FP32']],
    [
      "rank",
      { inputs: [{ ...image, shape: [2n] }, flag] },
      ['input "image": shape [2] has 1 dimensions instead of 2, expected [-1,2]'],
    ],
    [
      "dimension",
      { inputs: [{ ...image, shape: [1n, 3n] }, flag] },
      ['input "image": shape [1,3] differs in dimension 1, expected [-1,2]'],
    ],
    [
      "negative dimension",
      { inputs: [{ ...image, shape: [-1n, 2n] }, flag] },
      ['input "image": shape [-1,2] has a dimension 0 below 1, expected [-1,2]'],
    ],
    [
      "empty batch",
      { inputs: [{ ...image, shape: [0n, 2n], contents: {} }, flag] },
      ['input "image": shape [0,2] has a dimension 0 below 1, expected [-1,2]'],
    ],
    [
      "overflowing dimension",
      { inputs: [{ ...image, shape: [2n ** 63n - 1n, 2n] }, flag] },
      [
        'input "image": shape [9223372036854775807,2] has more elements than a request can carry (1000), expected [-1,2]',
      ],
    ],
    [
      "too few values",
      { inputs: [{ ...image, contents: { fp32Contents: [1] } }, flag] },
      ['input "image": 1 values in fp32_contents, expected 2'],
    ],
    [
      "values in another field",
      { inputs: [{ ...image, contents: { fp64Contents: [1, 2] } }, flag] },
      ['input "image": values came in fp64_contents, expected fp32_contents for FP32'],
    ],
    [
      "no data at all",
      { inputs: [rawImage, flag] },
      ['input "image": neither contents nor raw_input_contents, expected one'],
    ],
    [
      "both kinds of data",
      { inputs: [image, rawFlag], rawInputContents: [new Uint8Array(8), new Uint8Array(1)] },
      ['input "image": both contents and raw_input_contents, expected one'],
    ],
    [
      "too few raw entries",
      { inputs: [rawImage, rawFlag], rawInputContents: [new Uint8Array(8)] },
      ["1 entries in raw_input_contents, expected one for each of 2 inputs"],
    ],
    [
      "too many raw entries",
      { inputs: [rawImage, rawFlag], rawInputContents: [8, 1, 1].map((bytes) => new Uint8Array(bytes)) },
      ["3 entries in raw_input_contents, expected one for each of 2 inputs"],
    ],
    [
      "raw bytes",
      { inputs: [rawImage, rawFlag], rawInputContents: [new Uint8Array(7), new Uint8Array(1)] },
      ['input "image": 7 raw bytes, expected 8 for shape [1,2]'],
    ],
    [
      "a bool that is none",
      { inputs: [rawImage, rawFlag], rawInputContents: [new Uint8Array(8), new Uint8Array([2])] },
      ['input "flag": element 0 is 2, expected 0 or 1 for BOOL'],
    ],
    [
      "outputs",
      { inputs: [image, flag], outputs: [{ name: "c" }, { name: "a" }, { name: "a" }] },
      ['output "c": the model has no such output, expected "a", "b"', 'output "a": asked for twice'],
    ],
    [
      "everything at once",
      {
        inputs: [
          { ...image, datatype: "", shape: [] },
          { ...image, name: "x" },
        ],
        outputs: [{ name: "c" }],
      },
      [
        'input "image": datatype "", expected FP32',
        'input "image": shape [] has 0 dimensions instead of 2, expected [-1,2]',
        'input "x": the model has no such input, expected "image", "flag"',
        'input "flag": missing, expected BOOL',
        'output "c": the model has no such output, expected "a", "b"',
      ],
    ],
  ];
  test.each(rows)("%s", (_, init, problems) => {
    expect(decode(init)).toEqual({ ok: false, problems });
  });

  const outOfRange: [Datatype, MessageInitShape<typeof InferTensorContentsSchema>, string][] = [
    ["INT8", { intContents: [128] }, "element 0 is 128, expected -128 to 127 for INT8"],
    ["INT16", { intContents: [-32_769] }, "element 0 is -32769, expected -32768 to 32767 for INT16"],
    ["UINT8", { uintContents: [256] }, "element 0 is 256, expected 0 to 255 for UINT8"],
    ["UINT16", { uintContents: [65_536] }, "element 0 is 65536, expected 0 to 65535 for UINT16"],
    ["FP16", { fp32Contents: [1] }, "FP16 travels in raw_input_contents only, but came in contents"],
  ];
  test.each(outOfRange)("%s out of its range", (datatype, contents, problem) => {
    const one = { ...model, inputs: [{ name: "x", datatype, shape: undefined }] };
    const request = create(ModelInferRequestSchema, { inputs: [{ name: "x", datatype, shape: [1n], contents }] });
    expect(decodeInferRequest(request, one, limits)).toEqual({ ok: false, problems: [`input "x": ${problem}`] });
  });

  test("a thousand problems make one bounded text", () => {
    const inputs = Array.from({ length: 1000 }, (_, index) => ({ name: `${index}${"\u0000".repeat(1000)}` }));
    const result = decode({ inputs });
    const text = problemList(result.ok ? [] : result.problems);
    expect(result.ok ? 0 : result.problems.length).toBe(1002);
    expect(text.length).toBeLessThan(1600);
  });
});

test("decode(encode(x)) = x for every datatype, typed and raw", () => {
  const datatypes = Object.keys(DATATYPES) as Datatype[];
  const tensors = fc.array(
    fc.constantFrom(...datatypes).chain((datatype) =>
      fc.uint8Array({ minLength: 1, maxLength: 8 }).map((seed) => {
        const width = DATATYPES[datatype].bytes;
        // A NaN's bits need not survive the way through a JavaScript number.
        const bytes = Uint8Array.from({ length: seed.length * width }, (_, i) => (seed[i % seed.length] ?? 0) & 0x3f);
        return { datatype, shape: [seed.length], bytes: datatype === "BOOL" ? bytes.map((byte) => byte & 1) : bytes };
      }),
    ),
    { minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(tensors, fc.boolean(), (values, raw) => {
      const inputs = values.map((value, index) => ({ ...value, name: `t${index}` }));
      const specs = inputs.map(({ name, datatype }) => ({ name, datatype, shape: [-1] }));
      const response = encodeInferResponse(model, "", inputs, raw);
      const result = decodeInferRequest(
        create(ModelInferRequestSchema, {
          inputs: response.outputs,
          rawInputContents: response.rawOutputContents,
        } as Init),
        { ...model, inputs: specs },
        limits,
      );
      expect(result.ok && result.value.inputs).toEqual(inputs);
    }),
  );
});
