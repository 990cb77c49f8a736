import type { Checked } from "../manifests/check.ts";
import { count } from "./count.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";
import { renderProblem } from "./problems.ts";

export interface Verdict {
  /** How many files were read. */
  readonly files: number;
  /** As the exit code says it. */
  readonly isGood: boolean;
}

/** Everything wrong, then everything doubtful, then everything unwise, by place; then all of it in one line. */
export function renderValidation(checked: Checked, { files, isGood }: Verdict, paint: Paint): string {
  const { objects, problems, warnings, notes, notRead } = checked;
  const label = `${paint("middling", "warning:")} `;
  const others = [...notRead].map(([name, documents]) => (documents === 1 ? name : `${documents} ${name}`));
  const lines = [
    ...problems.map((problem) => renderProblem(problem, paint)),
    ...warnings.map((warning) => renderProblem(warning, paint, label)),
    ...notes.map((note) => renderProblem(note, paint, `${paint("quiet", "note:")} `)),
  ];
  const summary = [
    `${count(objects.length, "valid object")} in ${count(files, "file")}`,
    problems.length === 0 ? "no problems" : count(problems.length, "problem"),
    ...(warnings.length === 0 ? [] : [count(warnings.length, "warning")]),
    ...(notes.length === 0 ? [] : [count(notes.length, "note")]),
    ...(others.length === 0 ? [] : [`not read: ${others.join(", ")}`]),
  ];
  return `${lines.join("")}${isGood ? paint("good", "✓") : paint("bad", "!")} ${printable(summary.join(", "))}\n`;
}
