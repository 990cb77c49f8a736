import {
  type Effective,
  isAllEffective,
  isBad,
  type ObjectView,
  objectName,
  type StatusView,
} from "../admin/status-view.ts";
import { count } from "./count.ts";
import { type Paint, plain, type Style } from "./paint.ts";
import { renderProblem } from "./problems.ts";
import { type Cell, renderTable, type TableOptions } from "./table.ts";

const effectStyles: Readonly<Record<Effective, Style>> = { yes: "good", partly: "middling", no: "bad" };

/** Did every edit take effect, and if not, why and where? */
export function renderStatus(status: StatusView, options: TableOptions = {}): string {
  const { objects, problems } = status;
  const { paint = plain } = options;
  const titles = ["POLICY", "EFFECTIVE", "PROXIES", "WHY"];
  const table = objects.length === 0 ? "" : renderTable({ titles, rows: objects.map(renderObject) }, options);
  const lines = problems.map((problem) => renderProblem(problem, paint)).join("");
  return [table, lines, summary(status, paint)].filter((part) => part !== "").join("\n");
}

function renderObject(object: ObjectView): readonly Cell[] {
  const { proxies, effective } = object;
  return [
    { text: objectName(object) },
    { text: effective, style: effectStyles[effective] },
    { text: proxies.total === 0 ? "–" : `${proxies.programmed}/${proxies.total}` },
    { text: why(object) },
  ];
}

function summary(status: StatusView, paint: Paint): string {
  const { objects, problems } = status;
  if (isAllEffective(status))
    return objects.length === 0
      ? "No manifests yet: put YAML files into the directory that the control plane reads (HEDGEROW_MANIFESTS).\n"
      : `${paint("good", "✓")} ${count(objects.length, "object")}, all in effect\n`;
  const effective = objects.filter((object) => object.effective === "yes").length;
  const wrong =
    problems.length === 0
      ? ""
      : `; ${count(problems.length, "problem")} in the source: what was valid once keeps its last good version`;
  return `${paint("bad", "!")} ${effective} of ${count(objects.length, "object")} in effect${wrong}\n`;
}

/**
 * The first thing that keeps the object from being in effect, in the control plane's words, which begin with the place
 * of the fault where it has one; how many proxies lag has a column of its own. Empty when nothing is wrong.
 */
function why({ conditions }: ObjectView): string {
  const bad = conditions.filter(isBad);
  const first = bad.find(({ type }) => type !== "Programmed") ?? bad[0];
  return first === undefined ? "" : first.message.replace(/^\d+ of \d+ prox(?:y|ies); /, "") || first.reason;
}
