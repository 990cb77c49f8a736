import { fieldName } from "./field-name.ts";
import type { ParseLimits } from "./limits.ts";
import type { FieldPath } from "./problem.ts";
import { pathKey, type ReadValue, type YamlValue } from "./yaml-value.ts";

/** As \u0000. */
const bytesACharacter = 6;
/** The longest number, and quotes, colon and comma around it and its name. */
const bytesAValue = 32;

/**
 * A copy of what JSON.parse made, and how many bytes it has as JSON at most; undefined where `placeJson` has something to say.
 * Cheap: an API server sends thousands of objects at once, and nearly all of them are right. What JSON cannot hold becomes null.
 */
export function copyJson(
  value: unknown,
  limits: ParseLimits,
): { readonly value: YamlValue; readonly bytesAtMost: number } | undefined {
  const seen = { values: 0, characters: 0, stopped: false };
  const copy = (from: unknown, depth: number): YamlValue => {
    if (seen.stopped || ++seen.values > limits.values) {
      seen.stopped = true;
      return null;
    }
    if (typeof from === "string") {
      seen.characters += from.length;
      return from;
    }
    // JSON has a negative zero, text of it does not.
    if (typeof from === "number") return from === 0 ? 0 : from;
    if (typeof from === "boolean") return from;
    if (typeof from !== "object" || from === null) return null;
    if (depth >= limits.depth) {
      seen.stopped = true;
      return null;
    }
    if (Array.isArray(from)) return from.map((entry) => copy(entry, depth + 1));
    const to: Record<string, YamlValue> = {};
    for (const [name, inner] of Object.entries(from)) {
      if (name === "__proto__") seen.stopped = true;
      else if (inner !== undefined) {
        seen.characters += name.length;
        to[name] = copy(inner, depth + 1);
      }
    }
    return to;
  };
  const copied = copy(value, 0);
  const bytesAtMost = seen.characters * bytesACharacter + seen.values * bytesAValue;
  return seen.stopped ? undefined : { value: copied, bytesAtMost };
}

/**
 * As `readValue`, of what JSON.parse made: an offset is the number of names and values before, as if it were written
 * from top to bottom. Never throws.
 */
export function placeJson(value: unknown, limits: ParseLimits): ReadValue {
  const problems: ReadValue["problems"][number][] = [];
  const names = new Map<string, number>();
  const fields = new Map<string, number>();
  let offset = 0;
  const seen = { values: 0, stopped: false };
  const stop = (path: FieldPath, message: string): null => {
    if (!seen.stopped) problems.push({ path, at: "value", code: "too_large", message, offset });
    seen.stopped = true;
    return null;
  };
  const read = (from: unknown, path: FieldPath, depth: number): YamlValue => {
    if (seen.stopped) return null;
    const isWritten = from !== null && typeof from !== "object";
    offset++;
    const key = pathKey(path);
    fields.set(key, (isWritten ? undefined : names.get(key)) ?? offset);
    if (++seen.values > limits.values) return stop(path, `document has more than ${limits.values} values`);
    if (typeof from === "string" || typeof from === "number" || typeof from === "boolean") return from;
    if (typeof from !== "object" || from === null) return null;
    if (depth >= limits.depth) return stop(path, `nested more than ${limits.depth} levels deep`);
    if (Array.isArray(from)) return from.map((entry, index) => read(entry, [...path, index], depth + 1));
    const to: Record<string, YamlValue> = {};
    for (const [name, inner] of Object.entries(from)) {
      if (inner === undefined) continue;
      offset++;
      const field = [...path, name];
      if (name === "__proto__") {
        const message = `unknown field ${fieldName(field)}`;
        problems.push({ path: field, at: "name", code: "unknown_field", message, offset });
        continue;
      }
      names.set(pathKey(field), offset);
      to[name] = read(inner, field, depth + 1);
    }
    return to;
  };
  return { value: read(value, [], 0), problems, names, fields };
}
