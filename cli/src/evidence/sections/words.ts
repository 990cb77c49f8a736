import { type Html, html } from "../html.ts";

/** A time for people and for machines; what is none stays as it is. */
export function moment(iso: string): Html {
  const ms = Date.parse(iso);
  if (Number.isNaN(ms)) return html`${iso}`;
  const text = new Date(ms).toISOString();
  const shown = text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.slice(0, 19).replace("T", " ");
  return html`<time datetime="${text}">${shown}</time>`;
}

const decimal = new Intl.NumberFormat("en-US");

/** As in 3,137. */
export function formatCount(number: number): string {
  return decimal.format(number);
}
