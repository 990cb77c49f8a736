/** A mapping of an API server's JSON. */
export type Fields = Readonly<Record<string, unknown>>;

/** A value as a mapping; an empty one where it is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** A value's field, any number of levels down. */
export function fieldAt(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => fieldsOf(inner)[name], value);
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const text = fieldAt(value, ...path);
  return typeof text === "string" ? text : undefined;
}

export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const number = fieldAt(value, ...path);
  return typeof number === "number" ? number : undefined;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const list: unknown = path.length === 0 ? value : fieldAt(value, ...path);
  return Array.isArray(list) ? list : [];
}

/** NAMESPACE/NAME, or NAME of what has no namespace. */
export function nameOf(object: unknown): string {
  const namespace = textAt(object, "metadata", "namespace");
  const name = textAt(object, "metadata", "name") ?? "";
  return namespace === undefined ? name : `${namespace}/${name}`;
}

export function labelOf(object: unknown, name: string): string | undefined {
  return textAt(object, "metadata", "labels", name);
}

/** Whether two values as JSON has them are equal; the order of fields means nothing. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, at) => sameJson(one, b[at]));
  if (
    typeof a !== "object" ||
    typeof b !== "object" ||
    a === null ||
    b === null ||
    Array.isArray(a) ||
    Array.isArray(b)
  )
    return false;
  const [left, right] = [fieldsOf(a), fieldsOf(b)];
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => name in right && sameJson(left[name], right[name]))
  );
}
