// The pure door: what judges a request or writes an answer without a server. The server is src/main.ts.
export { type Config, type ConfigProblem, type ConfigResult, parseConfig } from "./config.ts";
export { type DecodeLimits, decodeInferRequest, type InferCall, type InferCallResult } from "./decode/infer-request.ts";
export { type ScanLimits, type ScanResult, scanBinary } from "./decode/scan-binary.ts";
export { scanJson } from "./decode/scan-json.ts";
export { encodeInferResponse } from "./encode/infer-response.ts";
export { buildCatalog, type ModelCatalog, type Resolution, resolveModel } from "./model/catalog.ts";
export { type ModelSignature, modelKey } from "./model/signature.ts";
export { DATATYPES, type Datatype } from "./tensor/datatype.ts";
export { elementCount, type Tensor, type TensorSpec } from "./tensor/tensor.ts";
