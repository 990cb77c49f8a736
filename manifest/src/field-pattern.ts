import type { FieldPath } from "./problem.ts";
import type { YamlValue } from "./yaml-value.ts";

/** Fields of any manifest of a kind, as in spec.ports[].nodePort: `[]` stands for every entry of a list. */
export type FieldPattern = string;

/** Every field that a pattern matches, in the order in which they are written. */
export function matchFields(
  value: YamlValue,
  pattern: FieldPattern,
): readonly { readonly path: FieldPath; readonly value: YamlValue }[] {
  let found: { readonly path: FieldPath; readonly value: YamlValue }[] = [{ path: [], value }];
  for (const part of pattern.split(".")) {
    const name = part.replace(/\[\]$/, "");
    found = found.flatMap((field) => {
      const inner = isMapping(field.value) ? field.value[name] : undefined;
      if (inner === undefined) return [];
      const path = [...field.path, name];
      if (name === part) return [{ path, value: inner }];
      return isList(inner) ? inner.map((entry, index) => ({ path: [...path, index], value: entry })) : [];
    });
  }
  return found;
}

/** A copy without the fields that a pattern matches, or without those of them that `drop` chooses. */
export function withoutFields(
  value: YamlValue,
  pattern: FieldPattern,
  drop: (value: YamlValue) => boolean = () => true,
): YamlValue {
  const [part = "", ...rest] = pattern.split(".");
  const name = part.replace(/\[\]$/, "");
  if (!isMapping(value)) return value;
  const inner = value[name];
  if (inner === undefined) return value;
  if (rest.length === 0) {
    if (!drop(inner)) return value;
    const { [name]: _dropped, ...kept } = value;
    return kept;
  }
  const copy = (entry: YamlValue) => withoutFields(entry, rest.join("."), drop);
  if (name === part) return { ...value, [name]: copy(inner) };
  return isList(inner) ? { ...value, [name]: inner.map(copy) } : value;
}

export function isMapping(value: YamlValue | undefined): value is { readonly [name: string]: YamlValue } {
  return typeof value === "object" && value !== null && !isList(value);
}

function isList(value: YamlValue): value is readonly YamlValue[] {
  return Array.isArray(value);
}
