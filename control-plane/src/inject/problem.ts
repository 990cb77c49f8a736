import { type FieldPath, fieldName } from "@hedgerow/manifest";

/** Why a pod can't be injected. */
export interface PodProblem {
  readonly path: FieldPath;
  /** Follows the field's name: "must …", "is …". */
  readonly message: string;
}

/** Problems that are shown; more don't help, and their number is told. */
const MAX_SHOWN = 20;

/** All problems in one line, each by its field. */
export function problemText(problems: readonly PodProblem[]): string {
  const shown = problems.slice(0, MAX_SHOWN).map(({ path, message }) => `${fieldName(path)} ${message}`);
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more problems`);
  return shown.join("; ");
}
