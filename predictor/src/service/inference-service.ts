import { Code, ConnectError, type ContextValues, createContextKey, type ServiceImpl } from "@connectrpc/connect";
import type { GRPCInferenceService } from "@hedgerow/proto/inference/grpc_predict_v2";
import { decodeInferRequest } from "../decode/infer-request.ts";
import { encodeInferResponse } from "../encode/infer-response.ts";
import { encodeModelMetadata } from "../encode/model-metadata.ts";
import { type ModelCatalog, resolveModel } from "../model/catalog.ts";
import { type ModelSignature, modelKey } from "../model/signature.ts";
import { problemList } from "../text/problem-list.ts";
import type { WorkerPool } from "../worker/worker-pool.ts";
import type { HealthState } from "./health-state.ts";
import type { Metrics } from "./metrics.ts";
import { LARGEST_REQUEST_BYTES } from "./request-limit.ts";

/** The model that a call named, once it is known to be one of ours. */
export const calledModel = createContextKey<ModelSignature | undefined>(undefined);

export interface InferenceOptions {
  readonly catalog: ModelCatalog;
  readonly pool: WorkerPool;
  readonly health: HealthState;
  readonly metrics: Metrics;
  readonly maxRequestBytes: number;
  /** Of this package. */
  readonly serverVersion: string;
}

/** inference.GRPCInferenceService: Open Inference Protocol, version 2. */
export function inferenceService(options: InferenceOptions): ServiceImpl<typeof GRPCInferenceService> {
  const { catalog, pool, health, metrics, serverVersion } = options;
  // The smallest element is a byte, and no request is larger.
  const limits = { maxElements: Math.max(options.maxRequestBytes, LARGEST_REQUEST_BYTES) };

  function resolve(name: string, version: string, values: ContextValues): ModelSignature {
    const resolved = resolveModel(catalog, name, version);
    if (!resolved.ok) throw new ConnectError(resolved.problem, Code.NotFound);
    values.set(calledModel, resolved.value);
    return resolved.value;
  }

  return {
    serverLive: () => ({ live: true }),
    serverReady: () => ({ ready: health.serving }),
    modelReady({ name, version }, { values }) {
      const resolved = resolveModel(catalog, name, version);
      if (resolved.ok) values.set(calledModel, resolved.value);
      return { ready: resolved.ok && health.serving };
    },
    serverMetadata: () => ({ name: "hedgerow", version: serverVersion, extensions: [] }),
    modelMetadata({ name, version }, { values }) {
      const model = resolve(name, version, values);
      const versions = catalog.get(name) ?? [];
      return encodeModelMetadata(
        model,
        versions.map((loaded) => loaded.version),
      );
    },
    async modelInfer(request, { signal, values }) {
      const model = resolve(request.modelName, request.modelVersion, values);
      const decoded = decodeInferRequest(request, model, limits);
      if (!decoded.ok) throw new ConnectError(problemList(decoded.problems), Code.InvalidArgument);
      const { inputs, outputs, raw } = decoded.value;
      const wanted = outputs.flatMap((name) => model.outputs.filter((spec) => spec.name === name));
      const result = await pool.run({ model: modelKey(model), inputs, outputs: wanted }, signal);
      metrics.ran(model, result.times);
      return encodeInferResponse(model, request.id, result.outputs, raw);
    },
  };
}
