/** At most so many characters, the last an ellipsis where some are missing: others' text must not push a table's columns out of sight. */
export function cut(text: string, length: number): string {
  // Two units each at most.
  const characters = Array.from(text.slice(0, length * 2 + 2));
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join("")}…`;
}
