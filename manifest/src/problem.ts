/** Where something stands in a manifest file. Lines and columns count from 1; 0 when unknown. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Path of a field within one manifest, as in ["spec", "rules", 0, "backendRefs"]. */
export type FieldPath = readonly (string | number)[];

/** Stable names of what can be wrong with a manifest by itself. */
export type ProblemCode =
  | "syntax"
  | "unknown_kind"
  | "unknown_field"
  | "missing_field"
  | "wrong_type"
  | "invalid_value"
  | "duplicate"
  | "too_large"
  | "unreadable";

/** One thing wrong with a manifest, for a person: lower case, no period, naming the field and the limit. */
export interface Problem {
  readonly position: Position;
  /** As in spec.rules[0].backendRefs[1].weight; empty for a whole document or file. */
  readonly field: string;
  readonly code: ProblemCode;
  readonly message: string;
}
