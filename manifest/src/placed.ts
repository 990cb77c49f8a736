import { fieldName } from "./field-name.ts";
import type { ParseLimits } from "./limits.ts";
import type { FieldPath, Position, Problem } from "./problem.ts";
import { type FieldProblem, pathKey, type ReadValue } from "./yaml-value.ts";

/** Offset of a field, or of its nearest ancestor that is written. */
export function nearestOffset(fields: ReadonlyMap<string, number>, path: FieldPath): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const offset = fields.get(pathKey(path.slice(0, length)));
    if (offset !== undefined) return offset;
  }
  return undefined;
}

/**
 * Everything that is wrong with one document, in the order in which it is written: what reading it brought up, and what
 * its value says but for fields that could not be read. At most `limits.problems`, and one more that counts the rest.
 */
export function placed(
  problems: readonly FieldProblem[],
  read: ReadValue,
  {
    start,
    position,
    limits,
  }: { readonly start: number; readonly position: (offset: number) => Position; readonly limits: ParseLimits },
): readonly Problem[] {
  // What could not be read has been said once, and what it stands for is not known.
  const unread = new Set(read.problems.map(({ path }) => pathKey(path)));
  const located = [
    ...read.problems.map((found) => ({ found, offset: found.offset })),
    ...problems
      .filter(({ path }) => !unread.has(pathKey(path)))
      .map((found) => ({
        found,
        offset:
          (found.at === "name" ? read.names.get(pathKey(found.path)) : undefined) ??
          nearestOffset(read.fields, found.path) ??
          start,
      })),
  ].sort((a, b) => a.offset - b.offset);
  const shown = located.slice(0, limits.problems).map(
    ({ found: { path, code, message }, offset }): Problem => ({
      position: position(offset),
      field: fieldName(path),
      code,
      message,
    }),
  );
  if (located.length > shown.length)
    shown.push({
      position: position(start),
      field: "",
      code: "too_large",
      message: `${located.length - shown.length} more problems in this document`,
    });
  return shown;
}
