/**
 * Prometheus text pages joined into one that has every metric family once: of pages that expose the same family, the
 * earlier one keeps it. Samples go where their family goes, by the TYPE or HELP line above them.
 */
export function mergePages(pages: readonly string[]): { readonly text: string; readonly dropped: readonly string[] } {
  const taken = new Set<string>();
  const dropped = new Set<string>();
  const kept: string[] = [];
  for (const page of pages) {
    const own = new Set<string>();
    let family = "";
    for (const line of page.split("\n")) {
      const text = line.trimEnd();
      if (text === "" || text === "# EOF") continue;
      family = familyOf(text, family);
      if (family === "") continue;
      if (taken.has(family)) {
        dropped.add(family);
        continue;
      }
      own.add(family);
      kept.push(text);
    }
    for (const name of own) taken.add(name);
  }
  return { text: kept.length === 0 ? "" : `${kept.join("\n")}\n`, dropped: [...dropped] };
}

/** The family of a line: named by TYPE and HELP; a sample belongs to the family above when its name extends it. */
function familyOf(line: string, current: string): string {
  if (line.startsWith("#")) return /^# (?:TYPE|HELP) (\S+)/.exec(line)?.[1] ?? "";
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0] ?? "";
  const suffixes = ["", "_bucket", "_sum", "_count", "_total", "_created"];
  return suffixes.some((suffix) => name === current + suffix) ? current : name;
}
