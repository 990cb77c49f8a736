/** What a check of ours found: printed as `file:line: rule: why`. */
export interface Finding {
  /** Relative to the repository's root, with slashes. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly rule: string;
  readonly why: string;
}

/** Findings in the order of their places, one a line. */
export function describeFindings(findings: readonly Finding[]): string {
  return findings
    .toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line)
    .map(({ file, line, rule, why }) => `${file}:${line}: ${rule}: ${why}\n`)
    .join("");
}
