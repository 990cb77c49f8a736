import { type Html, html, nothing } from "./html.ts";

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Html | string | number;
  /** Class of its cells; the first column has its rows' headings. */
  readonly kind?: "number";
  readonly tone?: (row: Row) => "good" | "bad" | "doubt" | "";
}

/** A table for eyes and for screen readers; without rows the sentence that says so. */
export function htmlTable<Row>(
  caption: string,
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { readonly empty: string; readonly most?: number; readonly leftOut?: number },
): Html {
  const { empty, most = 200, leftOut = 0 } = options;
  if (rows.length === 0) return html`<p>${empty}</p>`;
  const missing = Math.max(0, rows.length - most) + leftOut;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption>
<thead><tr>${columns.map(({ title, kind }) => html`<th scope="col" class="${kind ?? ""}">${title}</th>`)}</tr></thead>
<tbody>
${rows.slice(0, most).map(
  (row) => html`<tr>${columns.map((column, index) => renderCell(column, row, index === 0))}</tr>
`,
)}</tbody></table></div>${
    missing === 0
      ? nothing
      : html`<p class="quiet">${missing} more ${missing === 1 ? "row is" : "rows are"} not shown here; <code>hedgerow audit export</code> has every one.</p>`
  }`;
}

function renderCell<Row>({ cell, kind, tone }: Column<Row>, row: Row, isHeading: boolean): Html {
  const classes = [kind, tone?.(row)].filter(Boolean).join(" ");
  return isHeading
    ? html`<th scope="row" class="${classes}">${cell(row)}</th>`
    : html`<td class="${classes}">${cell(row)}</td>`;
}
