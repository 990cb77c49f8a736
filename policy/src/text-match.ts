/** A condition on a whole string. A regex matches from the first to the last character and means the same in RE2 and in JavaScript. */
export type TextMatch =
  | { readonly kind: "exact"; readonly value: string }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly value: string };

export function matchesText(match: TextMatch, text: string): boolean {
  switch (match.kind) {
    case "exact":
      return text === match.value;
    case "prefix":
      return text.startsWith(match.value);
    case "regex":
      return new RegExp(`^(?:${match.value})$`, "u").test(text);
  }
}
