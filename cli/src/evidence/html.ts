import { printable } from "../screen/printable.ts";

/** A piece of HTML that may stand in a page as it is. */
export interface Html {
  readonly kind: "html";
  readonly text: string;
}

type Part = Html | string | number | readonly Html[];

/** A template in which everything put in is text, escaped, unless it is HTML itself. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = strings
    .map((string, index) => string + (index < parts.length ? render(parts[index] ?? "") : ""))
    .join("");
  return { kind: "html", text };
}

export const nothing: Html = { kind: "html", text: "" };

function render(part: Part): string {
  if (typeof part === "number") return String(part);
  if (typeof part === "string") return escapeText(part);
  return "kind" in part ? part.text : part.map(({ text }) => text).join("");
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** For text and for attributes in quotes; what is no character for people becomes U+FFFD. */
function escapeText(text: string): string {
  return printable(text).replace(/[&<>"']/g, (char) => entities[char] ?? char);
}
