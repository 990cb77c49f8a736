// The pure door: what judges a request or writes an answer without a server. The server is src/main.ts.
export { type Config, type ConfigProblem, type ConfigResult, parseConfig } from "./config.ts";
export { type DecodeLimits, decodeInferRequest, type InferCall, type InferCallResult } from "./decode/infer-request.ts";
export { encodeInferResponse } from "./encode/infer-response.ts";
export { buildCatalog, type ModelCatalog, type Resolution, resolveModel } from "./model/catalog.ts";
export { type ModelSignature, modelKey } from "./model/signature.ts";
export type { TensorSpec } from "./model/tensor-spec.ts";
