const MOST_PROBLEMS = 10;
const LONGEST_TEXT = 1500;

/**
 * Many problems as one line. Bounded, because gRPC sends it as a header: at most 10 problems (then how many more) and
 * 1,500 characters.
 */
export function problemList(problems: readonly string[]): string {
  const shown = problems.slice(0, MOST_PROBLEMS);
  const more = problems.length - shown.length;
  const text = more > 0 ? `${shown.join("; ")}; and ${more} more` : shown.join("; ");
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
