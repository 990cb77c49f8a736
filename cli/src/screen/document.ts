import { stringify } from "yaml";

/**
 * A value for a machine, ending in a newline. Values are plain data: no bigint, no Date, no undefined. YAML is such that
 * readers of YAML 1.1, to whom yes is true, read the same.
 */
export function renderDocument(value: unknown, format: "json" | "yaml"): string {
  return format === "json"
    ? `${JSON.stringify(value, null, 2)}\n`
    : stringify(value, { lineWidth: 0, compat: "yaml-1.1" });
}
