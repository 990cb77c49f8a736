import { MAX_REQUEST_BYTES_HEADER } from "@hedgerow/proto";

/** The largest that a mesh lets through, and the least: as a TrafficPolicy may say. */
export const LARGEST_REQUEST_BYTES = 256 * 1024 * 1024;
const SMALLEST_REQUEST_BYTES = 1024;

/**
 * How many bytes this request may have: what the mesh says, whose sidecar strips the header from callers, or else what is
 * configured. Without a sidecar a caller may say so itself; the bytes of all requests in flight are bounded either way.
 */
export function requestLimit(header: Headers, configuredBytes: number): number {
  const text = header.get(MAX_REQUEST_BYTES_HEADER) ?? "";
  const bytes = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  return bytes >= SMALLEST_REQUEST_BYTES && bytes <= LARGEST_REQUEST_BYTES ? bytes : configuredBytes;
}
