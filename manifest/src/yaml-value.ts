import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node } from "yaml";
import { fieldName } from "./field-name.ts";
import type { ParseLimits } from "./limits.ts";
import type { FieldPath, ProblemCode } from "./problem.ts";

/** A document's content as JSON has it. */
export type YamlValue =
  | null
  | boolean
  | number
  | string
  | readonly YamlValue[]
  | { readonly [name: string]: YamlValue };

/** What is wrong at a field, before positions are known. */
export interface FieldProblem {
  readonly path: FieldPath;
  /** Where to point: at the field's name or at what is written there. */
  readonly at: "name" | "value";
  readonly code: ProblemCode;
  readonly message: string;
}

export interface ReadValue {
  readonly value: YamlValue;
  readonly problems: readonly (FieldProblem & { readonly offset: number })[];
  /** Offset of every field's name, by `pathKey`; a list's entries have none. */
  readonly names: ReadonlyMap<string, number>;
  /** Offset of every field, by `pathKey`: of the text that is its value, else (a collection, nothing) of its name. */
  readonly fields: ReadonlyMap<string, number>;
}

export function pathKey(path: FieldPath): string {
  return JSON.stringify(path);
}

/** Reads a parsed document's value, aliases expanded, and where each field stands. Never throws. */
export function readValue({ contents }: Document.Parsed, limits: ParseLimits): ReadValue {
  const problems: (FieldProblem & { offset: number })[] = [];
  const names = new Map<string, number>();
  const fields = new Map<string, number>();
  const anchors = new Map<string, Node>();
  let count = 0;
  let stopped = false;

  const offsetOf = (node: unknown): number =>
    (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) && node.range ? node.range[0] : 0;
  const stop = (path: FieldPath, offset: number, message: string): null => {
    if (!stopped) problems.push({ path, at: "value", code: "too_large", message, offset });
    stopped = true;
    return null;
  };

  const read = (node: unknown, path: FieldPath, depth: number): YamlValue => {
    if (stopped) return null;
    const key = pathKey(path);
    const written = isAlias(node) || (isScalar(node) && node.value !== null);
    const offset = (written ? undefined : names.get(key)) ?? offsetOf(node);
    fields.set(key, offset);
    if (++count > limits.values) return stop(path, offset, `document has more than ${limits.values} values`);
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined) {
        const message = `no anchor &${node.source} stands before *${node.source}; text that starts with * must be in quotes`;
        problems.push({ path, at: "value", code: "syntax", message, offset });
        return null;
      }
      // An anchor inside itself would have no end; the depth is its limit.
      if (depth >= limits.depth) return stop(path, offset, `nested more than ${limits.depth} levels deep`);
      return read(target, path, depth + 1);
    }
    if (isScalar(node)) {
      if (node.anchor) anchors.set(node.anchor, node);
      const { value } = node;
      return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
    }
    if (!isSeq(node) && !isMap(node)) return null;
    if (node.anchor) anchors.set(node.anchor, node);
    if (depth >= limits.depth) return stop(path, offset, `nested more than ${limits.depth} levels deep`);
    if (isSeq(node)) return node.items.map((item, index) => read(item, [...path, index], depth + 1));
    const entries: Record<string, YamlValue> = {};
    for (const pair of node.items) {
      // The composer has refused every key that is no string.
      if (!isPair(pair) || !isScalar<string>(pair.key)) continue;
      const name = pair.key.value;
      const field = [...path, name];
      const nameOffset = offsetOf(pair.key);
      if (Object.hasOwn(entries, name) || name === "__proto__") {
        // `__proto__` is no field of any kind, and would not stay one in an object.
        const known = name !== "__proto__";
        const message = known ? `field ${fieldName(field)} is written twice` : `unknown field ${fieldName(field)}`;
        problems.push({
          path: field,
          at: "name",
          code: known ? "duplicate" : "unknown_field",
          message,
          offset: nameOffset,
        });
        continue;
      }
      names.set(pathKey(field), nameOffset);
      entries[name] = read(pair.value, field, depth + 1);
    }
    return entries;
  };
  return { value: read(contents, [], 0), problems, names, fields };
}
