import type { Row } from "./bench.ts";

/** Three significant digits, more only left of the point. */
function formatNumber(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** The rows under their column titles, numbers to the right. Empty without rows; every line ends with a line break. */
export function formatTable(rows: readonly Row[]): string {
  const titles = Object.keys(rows[0] ?? {});
  const columns = titles.map((title) => {
    const values = rows.map((row) => row[title] ?? "");
    const cells = [title, ...values.map((value) => (typeof value === "number" ? formatNumber(value) : value))];
    const width = Math.max(...cells.map((cell) => cell.length));
    const isNumeric = values.every((value) => typeof value === "number");
    return cells.map((cell) => (isNumeric ? cell.padStart(width) : cell.padEnd(width)));
  });
  if (columns.length === 0) return "";
  return ["", ...rows]
    .map(
      (_, at) =>
        `${columns
          .map((cells) => cells[at] ?? "")
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}
