import type { PositionView } from "../admin/status-view.ts";
import type { Paint } from "./paint.ts";
import { printable } from "./printable.ts";

/** As compilers print it, so that editors and terminals can jump there; what is unknown is left out. */
export function formatPosition({ file, line, column }: PositionView): string {
  return [printable(file), ...(line > 0 ? [line, ...(column > 0 ? [column] : [])] : [])].join(":");
}

/** One line a problem: file:line:column: message. */
export function renderProblem(problem: { position: PositionView; message: string }, paint: Paint, label = ""): string {
  return `${paint("heading", `${formatPosition(problem.position)}:`)} ${label}${printable(problem.message)}\n`;
}
