import type { z } from "zod";
import { fieldName, nearestName, shownValue } from "./field-name.ts";
import type { FieldPath, ProblemCode } from "./problem.ts";
import type { FieldProblem, YamlValue } from "./yaml-value.ts";

type Issue = z.core.$ZodIssue;

/** What a schema says of a value: everything that is wrong, one problem a field, in words for people. Never throws. */
export function schemaProblems<T>(
  schema: z.ZodType<T>,
  value: YamlValue,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly FieldProblem[] } {
  const result = schema.safeParse(value, { reportInput: true, error: describeForLater });
  if (result.success) return { ok: true, value: result.data };
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, []));
  return { ok: false, problems: oneAField(withoutMisspelt(problems)) };
}

interface Draft extends FieldProblem {
  /** Of an unknown field: what it was probably meant to be. */
  readonly meant?: FieldPath;
}

/**
 * Zod's way to let the caller word an issue. A message that a schema brings itself wins over this one; the empty text
 * marks those that did not. For unknown fields it carries what only the schema knows: the names of that very level.
 */
function describeForLater(issue: z.core.$ZodRawIssue): string {
  if (issue.code !== "unrecognized_keys") return "";
  const definition: unknown = issue.inst !== undefined && "def" in issue.inst._zod ? issue.inst._zod.def : undefined;
  const shape: unknown =
    typeof definition === "object" && definition !== null && "shape" in definition ? definition.shape : undefined;
  return typeof shape === "object" && shape !== null ? Object.keys(shape).join(" ") : "";
}

function problemsOf(issue: Issue, base: FieldPath): readonly Draft[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === "number" ? part : String(part)))];
  const name = fieldName(path) || "document";
  const { input } = issue;
  if (issue.code === "unrecognized_keys") {
    const known = issue.message.split(" ");
    return issue.keys.map((key) => unknownField([...path, key], key, known));
  }
  if (input === undefined) return [at(path, "missing_field", `missing field ${name}`)];
  if (input === null) return [at(path, "invalid_value", `${name} is empty; give it a value or leave the field out`)];
  if (issue.code === "invalid_key")
    return issue.issues.flatMap((inner) => problemsOf(inner, path)).map((problem) => ({ ...problem, at: "name" }));
  if (issue.message !== "") {
    const got = typeof input === "object" ? "" : `, not ${shownValue(input)}`;
    return [at(path, "invalid_value", `${name} ${issue.message}${got}`)];
  }
  return described(issue, path, name, input);
}

/** Words for the issues that come without their own. */
function described(issue: Issue, path: FieldPath, name: string, input: unknown): readonly Draft[] {
  const got = shownValue(input);
  switch (issue.code) {
    case "invalid_type":
      return [
        at(path, "wrong_type", `${name} must be ${typeName(issue.expected)}, not ${got}${quoteHint(issue, input)}`),
      ];
    case "invalid_value": {
      const choices = issue.values.map((choice) => shownValue(choice));
      const texts = issue.values.filter((choice) => typeof choice === "string");
      const near = typeof input === "string" ? nearestName(input, texts) : undefined;
      const hint = near !== undefined && choices.length > 1 ? `; did you mean ${near}?` : "";
      const oneOf = choices.length === 1 ? choices[0] : `one of ${choices.join(", ")}`;
      return [at(path, "invalid_value", `${name} must be ${oneOf}, not ${got}${hint}`)];
    }
    case "too_small":
    case "too_big":
      return [at(path, "invalid_value", `${name} ${limitText(issue, input, got)}`)];
    case "invalid_union":
      return likeliestBranch(issue, path);
    case "invalid_format":
      return [at(path, "invalid_value", `${name} must be ${formatName(issue)}, not ${got}`)];
    case "not_multiple_of":
      return [at(path, "invalid_value", `${name} must be a multiple of ${issue.divisor}, not ${got}`)];
    case "invalid_element":
    case "invalid_key":
    case "unrecognized_keys":
    case "custom":
      return [at(path, "invalid_value", `${name} is not valid: ${got}`)];
  }
}

function at(path: FieldPath, code: ProblemCode, message: string): Draft {
  return { path, at: "value", code, message };
}

function unknownField(path: FieldPath, key: string, known: readonly string[]): Draft {
  const near = nearestName(key, known);
  const hint = near === undefined ? `known here: ${known.join(", ")}` : `did you mean ${near}?`;
  const problem = { ...at(path, "unknown_field", `unknown field ${fieldName(path)}; ${hint}`), at: "name" } as const;
  return near === undefined ? problem : { ...problem, meant: [...path.slice(0, -1), near] };
}

/** Of alternatives the person meant the one of the type written, with the fewest problems; the earliest of equals. */
function likeliestBranch(issue: z.core.$ZodIssueInvalidUnion, path: FieldPath): readonly Draft[] {
  const depth = path.length;
  const rank = (problems: readonly Draft[]) =>
    problems.length +
    (problems.some((problem) => problem.code === "wrong_type" && problem.path.length === depth) ? 1000 : 0);
  const branches = issue.errors.map((issues) => withoutMisspelt(issues.flatMap((inner) => problemsOf(inner, path))));
  const [best] = branches.sort((a, b) => rank(a) - rank(b));
  return best ?? [at(path, "invalid_value", `${fieldName(path)} matches more than one alternative`)];
}

/** A field under a name close to its own is one mistake: neither is it missing too, nor is its object wrong as a whole. */
function withoutMisspelt(problems: readonly Draft[]): readonly Draft[] {
  const meant = problems.flatMap((problem) => (problem.meant ? [problem.meant] : []));
  const missing = new Set(meant.map((path) => JSON.stringify(path)));
  const parents = new Set(meant.map((path) => JSON.stringify(path.slice(0, -1))));
  return problems.filter(
    ({ code, path }) =>
      !(code === "missing_field" && missing.has(JSON.stringify(path))) &&
      !(code === "invalid_value" && parents.has(JSON.stringify(path))),
  );
}

/** A text may fail its length and its pattern at once: the first says enough. */
function oneAField(problems: readonly Draft[]): readonly FieldProblem[] {
  const seen = new Set<string>();
  const kept: FieldProblem[] = [];
  for (const { path, at, code, message } of problems) {
    const key = JSON.stringify(path);
    if (seen.has(key)) continue;
    seen.add(key);
    kept.push({ path, at, code, message });
  }
  return kept;
}

const typeNames: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

function typeName(expected: string): string {
  return typeNames[expected] ?? expected;
}

function quoteHint({ expected }: z.core.$ZodIssueInvalidType, input: unknown): string {
  return expected === "string" && (typeof input === "number" || typeof input === "boolean") ? "; put it in quotes" : "";
}

const formatNames: Readonly<Record<string, string>> = {
  ipv4: "an IPv4 address",
  ipv6: "an IPv6 address",
  datetime: "a time as in 2026-11-30T12:00:00Z",
};

function formatName(issue: z.core.$ZodIssueInvalidStringFormat): string {
  if ("prefix" in issue) return `text that starts with ${String(issue.prefix)}`;
  return formatNames[issue.format] ?? `a valid ${issue.format}`;
}

function limitText(issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig, input: unknown, got: string): string {
  const bound = issue.code === "too_small" ? issue.minimum : issue.maximum;
  const limit = `${issue.code === "too_small" ? "at least" : "at most"} ${bound}`;
  const isOne = Number(bound) === 1;
  if (typeof input === "string")
    return `must be ${limit} ${isOne ? "character" : "characters"} long, not ${input.length}`;
  if (Array.isArray(input)) return `must have ${limit} ${isOne ? "entry" : "entries"}, not ${input.length}`;
  return `must be ${limit}, not ${got}`;
}
