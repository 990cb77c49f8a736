import type { FieldPath } from "./problem.ts";

const longestShown = 60;

/** A path for people: spec.rules[0].name, metadata.labels["app.kubernetes.io/name"]; empty for the document itself. */
export function fieldName(path: FieldPath): string {
  let name = "";
  for (const part of path) {
    if (typeof part === "number") name += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_]{0,59}$/.test(part)) name += name === "" ? part : `.${part}`;
    else name += `[${shownValue(part)}]`;
  }
  return name;
}

/** A value as in JSON, cut to a length that fits a line. */
export function shownValue(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, longestShown + 1)) : String(value);
  return text.length > longestShown + 2 ? `${text.slice(0, longestShown)}…"` : text;
}

/**
 * The known name that a person most likely meant: fewest letters inserted, left out, changed or swapped with their
 * neighbour, ignoring case; undefined when none is near (more than a third of the letters, at least two, would change).
 */
export function nearestName(written: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(written.length / 3)) + 1;
  for (const name of known) {
    // A distance is at least the difference in length: this also bounds what a hostile key may cost.
    if (Math.abs(name.length - written.length) >= bestDistance) continue;
    const distance = editDistance(written.toLowerCase(), name.toLowerCase());
    // All letters changed is no likeness, however short the name.
    if (distance < bestDistance && distance < name.length) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment distance (Damerau-Levenshtein without a second edit of swapped letters). */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let distance = Math.min(changed, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        distance = Math.min(distance, (beforePrevious[j - 2] ?? 0) + 1);
      row.push(distance);
    }
    beforePrevious = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
