import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type InferTensorContentsSchema,
  type ModelInferResponse,
  ModelInferResponseSchema,
} from "@hedgerow/proto/inference/grpc_predict_v2";
import { type Datatype, type Tensor, traitsOf, typedElements } from "@hedgerow/proto/tensor";
import type { ModelSignature } from "../model/signature.ts";

/**
 * The answer of a model. Tensors travel as the caller's did: raw for raw, typed for typed, as MLServer does it; but all
 * raw where one of them is FP16, which has no typed field.
 */
export function encodeInferResponse(
  model: ModelSignature,
  id: string,
  outputs: readonly Tensor[],
  raw: boolean,
): ModelInferResponse {
  const allRaw = raw || outputs.some(({ datatype }) => traitsOf(datatype).contents === undefined);
  return create(ModelInferResponseSchema, {
    modelName: model.name,
    modelVersion: model.version,
    id,
    outputs: outputs.map(({ name, datatype, shape, bytes }) => ({
      name,
      datatype,
      shape: shape.map(BigInt),
      ...(allRaw ? {} : { contents: contentsOf(datatype, bytes) }),
    })),
    rawOutputContents: allRaw ? outputs.map(({ bytes }) => bytes) : [],
  });
}

function contentsOf(datatype: Datatype, bytes: Uint8Array): MessageInitShape<typeof InferTensorContentsSchema> {
  const field = traitsOf(datatype).contents;
  if (field === undefined) return {};
  const values = typedElements(datatype, bytes);
  return { [field]: field === "boolContents" ? Array.from(values, Boolean) : Array.from<number | bigint>(values) };
}
