import type { JsonScanLimits } from "./scan-json.ts";

/** Enough for any model; few enough that a request of 4 MiB can't become a gigabyte of small objects. */
export const REQUEST_SCAN_LIMITS: JsonScanLimits = { maxObjects: 4096, maxValues: 1024 * 1024, maxDepth: 40 };
