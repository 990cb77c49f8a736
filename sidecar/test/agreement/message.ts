// ModelInferRequests: half of them fit a model, the others are wrong in a way or two.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type InferTensorContentsSchema,
  type ModelInferRequest,
  type ModelInferRequest_InferInputTensorSchema,
  ModelInferRequestSchema,
} from "@hedgerow/proto/inference/grpc_predict_v2";
import { DATATYPES, type Datatype } from "@hedgerow/proto/tensor";
import type { ServedModel } from "./predictor.ts";
import type { Random } from "./random.ts";

type Contents = MessageInitShape<typeof InferTensorContentsSchema>;
type Input = MessageInitShape<typeof ModelInferRequest_InferInputTensorSchema>;

const NAMES = ["x", "a", "b", "image", "", "__proto__", "\u0000", "\u{1f33f}", "x".repeat(300)];
const WRONG_DATATYPES = ["FP32", "INT64", "BYTES", "BF16", "fp32", "", "toString"];
const WRONG_SHAPES = [
  [],
  [0n],
  [-1n],
  [2n ** 62n, 4n],
  [2n ** 31n, 2n ** 31n, 2n],
  [0n, 2n ** 62n],
  Array(40).fill(1n),
];

/** Some of about `limitBytes`, which is what a request may have. */
export function messageOf(random: Random, models: readonly ServedModel[], limitBytes: number): ModelInferRequest {
  const { pick, oneIn, below } = random;
  const model = pick(models);
  const raw = oneIn(2) || model.inputs.some(({ datatype }) => datatype === "FP16");
  const isLarge = raw && model.inputs.length === 1 && model.name !== "image" && oneIn(15);
  const inputs: Input[] = [];
  const rawInputContents: Uint8Array[] = [];
  for (const { name, datatype, shape } of model.inputs) {
    const dimensions = shape.map((size) =>
      typeof size === "number"
        ? size
        : isLarge
          ? Math.floor(limitBytes / DATATYPES[datatype].bytes) - below(60)
          : 1 + below(6),
    );
    const count = dimensions.reduce((product, size) => product * size, 1);
    inputs.push({
      name,
      datatype,
      shape: dimensions.map(BigInt),
      ...(raw ? {} : { contents: contentsOf(random, datatype, count) }),
    });
    if (raw) rawInputContents.push(rawOf(random, datatype, count));
  }
  const request = create(ModelInferRequestSchema, {
    modelName: model.name,
    modelVersion: oneIn(2) ? model.version : "",
    id: pick(["", "7", "\u{1f33f}", "id".repeat(60)]),
    inputs: oneIn(4) ? inputs.toReversed() : inputs,
    rawInputContents: rawInputContents,
    outputs: oneIn(4) ? model.inputs.map(({ name }) => ({ name: `out_${name}` })) : [],
    parameters: oneIn(8) ? { p: { parameterChoice: { case: "doubleParam", value: Number.NaN } } } : {},
  });
  for (let faults = oneIn(3) ? 1 + below(2) : 0; faults > 0; faults--) spoil(random, request);
  return request;
}

function spoil(random: Random, request: ModelInferRequest): void {
  const { pick, below } = random;
  const [input] = request.inputs;
  const faults: (() => void)[] = [
    () => (request.modelName = pick(["", "pair", "letters", "../pair", "PAIR", "pair\u0000"])),
    () => (request.modelVersion = pick(["1", "2", "3", "01", "-1", "latest"])),
    () => request.rawInputContents.push(new Uint8Array(below(9))),
    () => request.rawInputContents.pop(),
    () => request.inputs.pop(),
    () =>
      request.outputs.push(create(ModelInferRequestSchema, { outputs: [{ name: pick(NAMES) }] }).outputs[0] as never),
  ];
  if (input !== undefined)
    faults.push(
      () => (input.name = pick(NAMES)),
      () => (input.datatype = pick([...WRONG_DATATYPES, ...Object.keys(DATATYPES)])),
      () => (input.shape = pick<bigint[]>(WRONG_SHAPES)),
      () => request.inputs.push(input),
      () => (input.contents = create(ModelInferRequestSchema, { inputs: [{ contents: {} }] }).inputs[0]?.contents),
      () => input.contents?.fp32Contents.push(1.5),
      () => input.contents?.intContents.push(70_000),
      () => input.contents?.bytesContents.push(new Uint8Array(2)),
      () =>
        (input.parameters["shared_memory_region"] = {
          $typeName: "inference.InferParameter",
          parameterChoice: { case: "stringParam", value: "x" },
        }),
    );
  pick(faults)();
}

function rawOf({ below }: Random, datatype: Datatype, count: number): Uint8Array {
  const limit = datatype === "BOOL" ? 2 : 256;
  return Uint8Array.from({ length: count * DATATYPES[datatype].bytes }, () => below(limit));
}

const FLOATS = [0, -0, 1.5, -2, 1e-45, 3.4e38, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

function contentsOf({ pick, oneIn, below }: Random, datatype: Datatype, count: number): Contents {
  const field = DATATYPES[datatype].contents;
  const list = <T>(element: () => T) => Array.from({ length: count }, element);
  switch (field) {
    case undefined:
      return {};
    case "boolContents":
      return { boolContents: list(() => oneIn(2)) };
    case "intContents":
      return { intContents: list(() => pick([0, 1, -1, 127, -128, below(100)])) };
    case "uintContents":
      return { uintContents: list(() => pick([0, 1, 255, below(100)])) };
    case "int64Contents":
      return { int64Contents: list(() => pick([0n, -1n, 2n ** 53n + 1n, -(2n ** 63n), BigInt(below(100))])) };
    case "uint64Contents":
      return { uint64Contents: list(() => pick([0n, 2n ** 53n + 1n, 2n ** 64n - 1n])) };
    case "fp32Contents":
      return { fp32Contents: list(() => pick(FLOATS)) };
    case "fp64Contents":
      return { fp64Contents: list(() => pick([...FLOATS, 1e300])) };
  }
}
