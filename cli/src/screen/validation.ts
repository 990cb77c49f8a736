import type { Checked } from "../manifests/check.ts";
import { count } from "./count.ts";
import { type Paint, plain } from "./paint.ts";
import { renderProblem } from "./problems.ts";

/** Everything wrong, then everything doubtful, by place; then all of it in one line. */
export function renderValidation(
  { objects, problems, warnings }: Checked,
  files: number,
  paint: Paint = plain,
): string {
  const label = `${paint("middling", "warning:")} `;
  const lines = [
    ...problems.map((problem) => renderProblem(problem, paint)),
    ...warnings.map((warning) => renderProblem(warning, paint, label)),
  ];
  const found = [
    ...(problems.length === 0 ? [] : [count(problems.length, "problem")]),
    ...(warnings.length === 0 ? [] : [count(warnings.length, "warning")]),
  ];
  const mark = problems.length > 0 ? paint("bad", "!") : paint("good", "✓");
  const where = `${count(objects.length, "valid object")} in ${count(files, "file")}`;
  return `${lines.join("")}${mark} ${[where, ...(found.length === 0 ? ["no problems"] : found)].join(", ")}\n`;
}
