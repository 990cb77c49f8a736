import type { Finding, Level } from "../check/finding.ts";
import { count } from "./count.ts";
import type { Paint, Style } from "./paint.ts";
import { printable } from "./printable.ts";

const marks: Readonly<Record<Level, { readonly mark: string; readonly style: Style }>> = {
  good: { mark: "✓", style: "good" },
  doubtful: { mark: "!", style: "middling" },
  bad: { mark: "✗", style: "bad" },
};

/** A line each, what to do below it, and all of it in the last. */
export function renderFindings(findings: readonly Finding[], paint: Paint): string {
  const lines = findings.map(({ level, message, advice }) => {
    const { mark, style } = marks[level];
    const below = advice === undefined ? "" : `    ${paint("quiet", "→")} ${printable(advice)}\n`;
    return `${paint(style, mark)} ${printable(message)}\n${below}`;
  });
  const numberOf = (level: Level) => findings.filter((finding) => finding.level === level).length;
  const [bad, doubtful] = [numberOf("bad"), numberOf("doubtful")];
  const worst = marks[bad > 0 ? "bad" : doubtful > 0 ? "doubtful" : "good"];
  const words = [
    count(findings.length, "check"),
    ...(bad > 0 ? [`${bad} failed`] : []),
    ...(doubtful > 0 ? [`${doubtful} to look at`] : []),
    ...(bad + doubtful === 0 ? ["all is well"] : []),
  ];
  return `${lines.join("")}${paint(worst.style, worst.mark)} ${words.join(", ")}\n`;
}
