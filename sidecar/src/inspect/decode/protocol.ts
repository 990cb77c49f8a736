import type { Protocol, RequestParts } from "./read-result.ts";

/** A header as text; "" where it is absent. */
export function headerOf(headers: RequestParts["headers"], name: string): string {
  const value = headers[name];
  return value === undefined ? "" : typeof value === "string" ? value : value.join(", ");
}

/** What the caller speaks, as far as it can be told without a look at the body: in what it is answered. */
export function protocolOf({ method, path, headers }: Omit<RequestParts, "body">): Protocol {
  const type = headerOf(headers, "content-type").toLowerCase();
  if (type.startsWith("application/grpc-web")) return "grpc-web";
  if (type.startsWith("application/grpc")) return "grpc";
  if (/^\/v2(?:[/?]|$)/.test(path)) return "rest";
  if (type.startsWith("application/connect+") || headerOf(headers, "connect-protocol-version") !== "") return "connect";
  const isRpc = path.startsWith("/inference.GRPCInferenceService/") || path.startsWith("/grpc.health.v1.Health/");
  return isRpc && (method === "GET" || /^application\/(?:proto|json)\b/.test(type)) ? "connect" : "http";
}
