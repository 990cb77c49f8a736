import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";

/** ISO 8601 in UTC; undefined when the control plane left it out. */
export function isoTime(timestamp: Timestamp | undefined): string | undefined {
  return timestamp === undefined ? undefined : timestampDate(timestamp).toISOString();
}
