import { Composer, type CST, type Document, isScalar, LineCounter, type Node, Parser } from "yaml";
import type { ParseLimits } from "./limits.ts";

/** What is wrong at an offset of a file, before positions are known. */
export interface SyntaxProblem {
  readonly offset: number;
  readonly code: "syntax" | "too_large";
  readonly message: string;
}

/** One YAML document of a file. */
export interface YamlDocument {
  /** Offset of the first character that belongs to it, always at the start of a line. */
  readonly start: number;
  /** The file from `start` to the next document. */
  readonly text: string;
  /** Absent when the document may not be read further. */
  readonly yaml: Document.Parsed | undefined;
  readonly problem: SyntaxProblem | undefined;
}

export interface YamlFile {
  readonly documents: readonly YamlDocument[];
  /** What stopped the reading of the file as a whole. */
  readonly problem: SyntaxProblem | undefined;
  readonly lines: LineCounter;
}

/** Splits a file into its documents and parses each by itself, so that one that is broken does not hide the others. Never throws. */
export function readYaml(text: string, limits: ParseLimits): YamlFile {
  const lines = new LineCounter();
  const documents: YamlDocument[] = [];
  let problem: SyntaxProblem | undefined;
  let tokens: CST.Token[] = [];
  let start = 0;
  const flush = (end: number) => {
    const document = composeDocument(tokens, text, start, end, limits);
    if (document !== undefined) documents.push(document);
    tokens = [];
    start = end;
  };
  try {
    for (const token of new Parser((offset) => void lines.addNewLine(offset)).parse(text)) {
      if (beginsDocument(token) && tokens.some(({ type }) => type === "document")) {
        if (documents.length + 1 >= limits.documents) {
          const message = `file has more than ${limits.documents} documents`;
          problem = { offset: token.offset, code: "too_large", message };
          break;
        }
        flush(startOfLine(text, token.offset));
      }
      tokens.push(token);
    }
    flush(text.length);
  } catch (error) {
    // The parser recurses where a flow collection ends; the stack is its only limit.
    if (!(error instanceof RangeError)) throw error;
    problem = { offset: start, code: "too_large", message: tooDeep(limits) };
  }
  return { documents, problem, lines };
}

function beginsDocument({ type }: CST.Token): boolean {
  return type === "document" || type === "directive";
}

function startOfLine(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

function tooDeep(limits: ParseLimits): string {
  return `nested more than ${limits.depth} levels deep`;
}

function composeDocument(
  tokens: readonly CST.Token[],
  text: string,
  from: number,
  end: number,
  limits: ParseLimits,
): YamlDocument | undefined {
  // Comments and blank lines before a document do not belong to it, nor does a bare `---`.
  const first = tokens.find((token) => beginsDocument(token) || token.type === "error");
  if (first === undefined) return undefined;
  let start = Math.max(from, startOfLine(text, first.offset));
  const marker = /^---[ \t]*\r?\n/.exec(text.slice(start, start + 80));
  if (marker !== null) start += marker[0].length;
  const document = { start, text: text.slice(start, end) };

  const deepAt = tokens.map((token) => deeperThan(token, limits.depth)).find((offset) => offset !== undefined);
  if (deepAt !== undefined)
    return { ...document, yaml: undefined, problem: { offset: deepAt, code: "too_large", message: tooDeep(limits) } };

  // stringKeys: as JSON has it. uniqueKeys is quadratic; duplicates are found where values are read.
  const composer = new Composer({ stringKeys: true, uniqueKeys: false, resolveKnownTags: false, logLevel: "silent" });
  const [yaml] = composer.compose(tokens, true, end);
  if (yaml === undefined) return undefined;
  // The first mistake makes those that follow: only it is worth a person's time.
  const error = yaml.errors[0] ?? yaml.warnings[0];
  const problem = error && ({ offset: error.pos[0], code: "syntax", message: syntaxMessage(error) } as const);
  // Nothing but comments between two markers.
  if (problem === undefined && (yaml.contents === null || isEmpty(yaml.contents))) return undefined;
  return { ...document, yaml, problem };
}

function isEmpty(node: Node): boolean {
  return isScalar(node) && node.source === "" && node.type === "PLAIN";
}

/** Offset of the first collection that stands more than `limit` collections deep. Iterative: the composer is not. */
function deeperThan(root: CST.Token, limit: number): number | undefined {
  const pending: { token: CST.Token; depth: number }[] = [{ token: root, depth: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { token, depth } = next;
    if (token.type === "document") {
      if (token.value) pending.push({ token: token.value, depth });
    } else if (token.type === "block-map" || token.type === "block-seq" || token.type === "flow-collection") {
      if (depth + 1 > limit) return token.offset;
      for (const item of token.items) {
        if (item.key) pending.push({ token: item.key, depth: depth + 1 });
        if (item.value) pending.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

function syntaxMessage({ code, message }: { readonly code: string; readonly message: string }): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "a tab may not indent; use spaces";
    case "NON_STRING_KEY":
      return "a field name must be a string";
    case "TAG_RESOLVE_FAILED":
      return "tags (words that start with !) are not supported";
    default:
      return `not YAML: ${lowerFirst(message)}`;
  }
}

function lowerFirst(text: string): string {
  const line = text.split("\n", 1)[0] ?? "";
  return (line.charAt(0).toLowerCase() + line.slice(1)).replace(/[.:]+$/, "");
}
