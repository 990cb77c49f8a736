/** good ✓; doubtful !: it works, and may not be meant so; bad ✗: it does not work, or will stop. */
export type Level = "good" | "doubtful" | "bad";

/** One line of the answer. */
export interface Finding {
  /** What was looked at, for machines: stable, lower case, as in webhooks. */
  readonly check: string;
  readonly level: Level;
  /** What was found, for people: lower case, no period. */
  readonly message: string;
  /** What to do about it; absent where nothing is to be done. */
  readonly advice?: string;
}

/** Findings of one check. */
export function reporterOf(check: string) {
  return {
    good: (message: string): Finding => ({ check, level: "good", message }),
    doubtful: (message: string, advice: string): Finding => ({ check, level: "doubtful", message, advice }),
    bad: (message: string, advice: string): Finding => ({ check, level: "bad", message, advice }),
    /** Not looked at is not good, and not bad either. */
    unseen: (what: string, why: string): Finding => ({
      check,
      level: "doubtful",
      message: `could not look at ${what}: ${why}`,
      ...(/\bforbidden\b/i.test(why) ? { advice: "look with more rights" } : {}),
    }),
  };
}

/** As in "a, b and 3 more". */
export function someOf(names: readonly string[], shown = 5): string {
  const left = names.length - shown;
  return left > 0 ? `${names.slice(0, shown).join(", ")} and ${left} more` : names.join(", ");
}
