import type { Problem } from "./problem.ts";

/** FILE:LINE:COLUMN: MESSAGE, as editors and terminals link it; FILE: MESSAGE of a whole file. */
export function formatProblem({ position: { file, line, column }, message }: Problem): string {
  return line === 0 ? `${file}: ${message}` : `${file}:${line}:${column}: ${message}`;
}
