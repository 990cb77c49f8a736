import { describe, expect, test } from "vitest";
import { targetOf } from "./target.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";

describe("what a path asks for", () => {
  test.each([
    ["", { kind: "other", method: "http" }],
    ["/", { kind: "other", method: "http" }],
    [INFER, { kind: "rpc", query: "" }],
    [`${INFER}?connect=v1&message=a%2Fb`, { kind: "rpc", query: "connect=v1&message=a%2Fb" }],
    ["/inference.GRPCInferenceService/ModelStreamInfer", { kind: "other", method: "stream" }],
    ["/inference.GRPCInferenceService/ServerLive", { kind: "other", method: "live" }],
    ["/inference.GRPCInferenceService/ModelReady?x", { kind: "other", method: "ready" }],
    ["/inference.GRPCInferenceService/ModelMetadata", { kind: "other", method: "metadata" }],
    ["/inference.GRPCInferenceService/RepositoryIndex", { kind: "other", method: "http" }],
    ["/grpc.health.v1.Health/Watch", { kind: "other", method: "ready" }],
    ["/v2", { kind: "other", method: "metadata" }],
    ["/v2/health/live", { kind: "other", method: "live" }],
    ["/v2/models/digits", { kind: "other", method: "metadata", model: "digits" }],
    ["/v2/models/digits/ready", { kind: "other", method: "ready", model: "digits" }],
    ["/v2/models/digits/versions/2", { kind: "other", method: "metadata", model: "digits", version: "2" }],
    ["/v2/models/digits/infer", { kind: "rest", model: "digits", version: undefined }],
    ["/v2/models/digits/versions/2/infer?x=1", { kind: "rest", model: "digits", version: "2" }],
    ["/v2/models/a.b-c~d:e@f/infer", { kind: "rest", model: "a.b-c~d:e@f", version: undefined }],
    ["/v2/models/digits/generate", { kind: "other", method: "http" }],
  ])("%s", (path, target) => {
    expect(targetOf(path)).toEqual(target);
  });
});

test.each([
  "/inference.GRPCInferenceService/%4dodelInfer",
  "/inference.GRPCInferenceService/%254dodelInfer",
  "/inference.grpcinferenceservice/modelinfer",
  "//inference.GRPCInferenceService/ModelInfer",
  "/x/../inference.GRPCInferenceService/ModelInfer",
  "/inference.GRPCInferenceService/ModelInfer/",
  "/inference.GRPCInferenceService\\ModelInfer",
  "/inference.GRPCInferenceService/ModelInfer%20",
  "/inference.GRPCInferenceService/ModelInfer%00",
  "/inference.GRPCInferenceService/ModelInfer#x",
  "/inference.GRPCInferenceService/ModelStreamInfer/",
  "/v2/models/digits/infer/",
  "/V2/models/digits/infer",
  "/v2//models/digits/infer",
  "/v2/models/a%2fb/infer",
  "/v2/models/a b/infer",
  "/v2/models/digits;v=2/infer",
  "/v2/models/digits/infer;x",
  "/v2/models/../models/digits/infer",
  "/v2/models/digits/versions/2/versions/3/infer",
  "/v2/models/digits/infer#x",
])("%s is ModelInfer in disguise", (path) => {
  expect(targetOf(path)).toEqual({ kind: "disguised" });
});
