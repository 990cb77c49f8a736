import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type ModelInferRequest, ModelInferRequestSchema } from "@hedgerow/proto/inference/grpc_predict_v2";
import { REQUEST_SCAN_LIMITS, scanBinary, scanJson } from "@hedgerow/proto/scan";
import type { Problem } from "./envelope.ts";
import type { InferRead } from "./read-result.ts";
import { readTensors } from "./tensors.ts";

export type MessageResult =
  | { readonly ok: true; readonly value: Pick<InferRead, "model" | "version" | "id" | "inputs"> }
  | { readonly ok: false; readonly problem: Problem };

type ParseResult =
  | { readonly ok: true; readonly request: ModelInferRequest }
  | { readonly ok: false; readonly problem: Problem };

/** A ModelInferRequest, in either of protobuf's encodings. */
export function readRpcMessage(bytes: Uint8Array, json: boolean): MessageResult {
  let parsed: ParseResult;
  try {
    parsed = json ? parseJson(bytes) : parseBinary(bytes);
  } catch (error) {
    return refuse("malformed", error instanceof Error ? error.message : String(error));
  }
  if (!parsed.ok) return parsed;
  const { modelName: model, modelVersion, id } = parsed.request;
  const tensors = readTensors(parsed.request);
  if (!tensors.ok) return refuse("malformed", tensors.problem);
  const version = modelVersion === "" ? undefined : modelVersion;
  return { ok: true, value: { model, version, id, inputs: tensors.inputs } };
}

function parseBinary(bytes: Uint8Array): ParseResult {
  const scanned = scanBinary(ModelInferRequestSchema, bytes, REQUEST_SCAN_LIMITS);
  if (!scanned.ok) return refuse(scanned.kind, scanned.problem);
  return { ok: true, request: fromBinary(ModelInferRequestSchema, bytes, { readUnknownFields: false }) };
}

function parseJson(bytes: Uint8Array): ParseResult {
  const scanned = scanJson(bytes, REQUEST_SCAN_LIMITS);
  if (!scanned.ok) return refuse(scanned.kind, scanned.problem);
  const value = JSON.parse(scanned.text) as JsonValue;
  // Connect's handlers pass over fields that they don't know; so do most others.
  return { ok: true, request: fromJson(ModelInferRequestSchema, value, { ignoreUnknownFields: true }) };
}

const refuse = (reason: Problem["reason"], message: string) => ({
  ok: false as const,
  problem: { reason, message },
});
