import type { AccessMethod } from "@hedgerow/manifest";
import type { TextMatch } from "./text-match.ts";

// gRPC, gRPC-Web and Connect all use /PACKAGE.SERVICE/METHOD.
function rpc(method: string): TextMatch {
  return { kind: "exact", value: `/inference.GRPCInferenceService/${method}` };
}

function rest(path: string): TextMatch {
  return { kind: "exact", value: path };
}

// The version is optional; a name is one path element, since a sidecar refuses paths with an escaped slash.
function restModel(suffix: string): TextMatch {
  return { kind: "regex", value: `/v2/models/[^/]+(/versions/[^/]+)?${suffix}` };
}

const paths: Readonly<Record<AccessMethod, readonly TextMatch[]>> = {
  infer: [rpc("ModelInfer"), restModel("/infer")],
  metadata: [rpc("ServerMetadata"), rpc("ModelMetadata"), rest("/v2"), restModel("")],
  ready: [rpc("ServerReady"), rpc("ModelReady"), rest("/v2/health/ready"), restModel("/ready")],
  live: [rpc("ServerLive"), rest("/v2/health/live")],
};

/**
 * The HTTP paths of a method of the Open Inference Protocol, in its gRPC and its REST form.
 * Source: https://github.com/kserve/open-inference-protocol, inference_grpc.md and inference_rest.md.
 */
export function inferencePaths(method: AccessMethod): readonly TextMatch[] {
  return paths[method];
}
