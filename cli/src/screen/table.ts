import stringWidth from "string-width";
import { type Paint, plain, type Style } from "./paint.ts";
import { printable } from "./printable.ts";

export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** Without borders, so that it can be cut, searched and pasted; the last column is prose. */
export interface Table {
  readonly titles: readonly string[];
  /** As many cells as titles. */
  readonly rows: readonly (readonly Cell[])[];
}

export interface TableOptions {
  /** Width of the terminal in cells. Undefined: one line a row, however long. */
  readonly columns?: number | undefined;
  readonly paint?: Paint;
}

const GAP = 2;
/** Prose narrower than this is hard to read: it goes below its row instead. */
const MIN_PROSE = 40;
const INDENT = 4;

/** One line a row; where a terminal is too narrow the last column wraps, or moves below its row. */
export function renderTable({ titles, rows }: Table, { columns, paint = plain }: TableOptions = {}): string {
  const clean = rows.map((row) => row.map((cell) => ({ ...cell, text: printable(cell.text) })));
  const header = titles.map((text): Cell => ({ text, style: "heading" }));
  const all = [header, ...clean];
  const widths = titles.map((_, index) => Math.max(...all.map((row) => stringWidth(row[index]?.text ?? ""))));
  const left = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP, 0);
  const prose = columns === undefined ? Number.POSITIVE_INFINITY : columns - left;

  const isStacked = (widths.at(-1) ?? 0) > prose && prose < MIN_PROSE;
  const lines = all.flatMap((row, index) => {
    const start = row.slice(0, -1).map((cell, column) => pad(cell, widths[column] ?? 0, paint));
    const last = row.at(-1);
    if (last === undefined) return [];
    const paintLast = (text: string) => (last.style === undefined ? text : paint(last.style, text));
    if (isStacked) {
      const below = index === 0 ? [] : wrap(last.text, (columns ?? 0) - INDENT);
      return [start.join(""), ...below.map((line) => " ".repeat(INDENT) + paintLast(line))];
    }
    const [first = "", ...more] = wrap(last.text, prose);
    return [start.join("") + paintLast(first), ...more.map((line) => " ".repeat(left) + paintLast(line))];
  });
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function pad({ text, style }: Cell, width: number, paint: Paint): string {
  return (style === undefined ? text : paint(style, text)) + " ".repeat(width - stringWidth(text) + GAP);
}

/** Breaks at spaces only: a word longer than the line (a path, a URL) stays whole, so that it can be copied. */
function wrap(text: string, width: number): string[] {
  if (text === "") return [];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && stringWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}
