// SPDX licence expressions (SPDX specification 2.3, annex D), as far as npm packages use them.

/**
 * Whether an expression can be met with `allowed` licences alone: of `A OR B` one suffices, of `A AND B` both must be
 * allowed; AND binds tighter. False for what is no expression.
 */
export function isMetBy(expression: string, allowed: ReadonlySet<string>): boolean {
  const tokens = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;
  const either = (): boolean | undefined => {
    let met = both();
    while (met !== undefined && tokens[at] === "OR") {
      at += 1;
      const other = both();
      met = other === undefined ? undefined : met || other;
    }
    return met;
  };
  const both = (): boolean | undefined => {
    let met = one();
    while (met !== undefined && tokens[at] === "AND") {
      at += 1;
      const other = one();
      met = other === undefined ? undefined : met && other;
    }
    return met;
  };
  const one = (): boolean | undefined => {
    const token = tokens[at];
    at += 1;
    if (token === "(") {
      const inner = either();
      return tokens[at++] === ")" ? inner : undefined;
    }
    return token === undefined || [")", "AND", "OR", "WITH"].includes(token) ? undefined : allowed.has(token);
  };
  const met = either();
  return met === true && at === tokens.length;
}
