import type { ReadLimits, ReadResult, RequestParts } from "./decode/read-result.ts";

/**
 * What a request asks for, or why that is not certain. Never throws or rejects. A promise only where a compressed body is
 * too large to be decompressed in passing.
 */
export function readRequest(request: RequestParts, limits: ReadLimits): ReadResult | Promise<ReadResult> {
  void limits;
  return { kind: "refused", protocol: "http", reason: "unsupported", message: `${request.path} is not read yet` };
}
