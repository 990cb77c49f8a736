import { create } from "@bufbuild/protobuf";
import { type ModelMetadataResponse, ModelMetadataResponseSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import type { ModelSignature } from "../model/signature.ts";
import type { TensorSpec } from "../model/tensor-spec.ts";

/** `versions`: what is loaded under the model's name, highest first. A tensor of unknown rank has an empty shape. */
export function encodeModelMetadata(model: ModelSignature, versions: readonly string[]): ModelMetadataResponse {
  return create(ModelMetadataResponseSchema, {
    name: model.name,
    versions: [...versions],
    // What Triton calls the same thing, so that clients which look at it understand.
    platform: "onnxruntime_onnx",
    inputs: model.inputs.map(describe),
    outputs: model.outputs.map(describe),
  });
}

const describe = ({ name, datatype, shape }: TensorSpec) => ({ name, datatype, shape: (shape ?? []).map(BigInt) });
