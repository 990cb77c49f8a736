// Reading of JSON from elsewhere, field by field: what is not what it should be is not there.

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const nothing: JsonObject = {};

/** The object in a field, or an empty one. */
export function objectIn(value: unknown, field: string): JsonObject {
  const found = fieldOf(value, field);
  return isObject(found) ? found : nothing;
}

/** The first `limit` entries of the list in a field, or none. */
export function listIn(value: unknown, field: string, limit: number): readonly unknown[] {
  const found = fieldOf(value, field);
  if (!Array.isArray(found)) return [];
  return found.length > limit ? found.slice(0, limit) : found;
}

/** The text in a field, if it is there, not empty and at most `maxLength` UTF-16 units long. */
export function textIn(value: unknown, field: string, maxLength = 253): string | undefined {
  const found = fieldOf(value, field);
  return typeof found === "string" && found !== "" && found.length <= maxLength ? found : undefined;
}

/** The port number in a field. */
export function portIn(value: unknown, field: string): number | undefined {
  const found = fieldOf(value, field);
  return typeof found === "number" && Number.isInteger(found) && found >= 1 && found <= 65_535 ? found : undefined;
}

/** Whatever is in a field. Own fields only: JSON may have a field of any name. */
export function fieldOf(value: unknown, field: string): unknown {
  return isObject(value) && Object.hasOwn(value, field) ? value[field] : undefined;
}

/** The labels in a field: at most 64, those that are text. */
export function labelsIn(value: unknown, field: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let count = 0;
  for (const [name, label] of Object.entries(objectIn(value, field))) {
    if (typeof label !== "string" || name === "__proto__") continue;
    labels[name] = label;
    count += 1;
    if (count === 64) break;
  }
  return labels;
}
