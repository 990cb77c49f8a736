import { toJson } from "@bufbuild/protobuf";
import { ModelInferResponseSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import type { Tensor } from "@hedgerow/proto/tensor";
import { expect, test } from "vitest";
import { encodeInferResponse } from "./infer-response.ts";

const model = { name: "m", version: "3", sha256: "", inputs: [], outputs: [] };
const label: Tensor = {
  name: "label",
  datatype: "INT64",
  shape: [1],
  bytes: new Uint8Array(new BigInt64Array([7n]).buffer),
};
const half: Tensor = { name: "half", datatype: "FP16", shape: [1], bytes: new Uint8Array([0, 0x3c]) };
const encode = (outputs: readonly Tensor[], raw: boolean) =>
  toJson(ModelInferResponseSchema, encodeInferResponse(model, "id", outputs, raw));
const head = { modelName: "m", modelVersion: "3", id: "id" };

test("empty", () => {
  expect(encode([], false)).toEqual(head);
});

test("typed for typed", () => {
  const contents = { int64Contents: ["7"] };
  expect(encode([label], false)).toEqual({
    ...head,
    outputs: [{ name: "label", datatype: "INT64", shape: ["1"], contents }],
  });
});

test("raw for raw", () => {
  expect(encode([label], true)).toEqual({
    ...head,
    outputs: [{ name: "label", datatype: "INT64", shape: ["1"] }],
    rawOutputContents: ["BwAAAAAAAAA="],
  });
});

test("all raw where one is FP16, which has no typed field", () => {
  expect(encode([label, half], false)).toEqual({
    ...head,
    outputs: [
      { name: "label", datatype: "INT64", shape: ["1"] },
      { name: "half", datatype: "FP16", shape: ["1"] },
    ],
    rawOutputContents: ["BwAAAAAAAAA=", "ADw="],
  });
});
