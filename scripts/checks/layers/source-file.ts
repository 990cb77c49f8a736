// One TypeScript file as its parser sees it: what it imports, and its syntax tree where a rule wants it.
import { type Program, parseSync } from "oxc-parser";

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Names asked for; `*` for all of them at once. */
  readonly names: readonly string[];
}

export interface SourceFile {
  /** Relative to the repository's root, with slashes. */
  readonly path: string;
  readonly imports: readonly Import[];
  /** Parsed on demand: only pure files need it. */
  readonly program: () => Program;
  /** Line of an offset in the text, both from the parser. */
  readonly lineAt: (offset: number) => number;
}

/** Throws where the text is no TypeScript, since what can't be read can't be judged. */
export function readSourceFile(path: string, text: string): SourceFile {
  const parsed = parseSync(path, text, { astType: "ts", sourceType: "module" });
  const [problem] = parsed.errors;
  if (problem !== undefined) throw new SyntaxError(`${path}: ${problem.message}`);
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length;
  const { staticImports, staticExports, dynamicImports } = parsed.module;
  return {
    path,
    imports: [
      ...staticImports.map(({ start, moduleRequest, entries }) => ({
        specifier: moduleRequest.value,
        line: lineAt(start),
        names: entries.map(({ importName }) => importName.name ?? (importName.kind === "Default" ? "default" : "*")),
      })),
      ...staticExports.flatMap(({ start, entries }) => {
        const specifier = entries[0]?.moduleRequest?.value;
        const names = entries.map(({ importName }) => importName.name ?? "*");
        return specifier === undefined ? [] : [{ specifier, line: lineAt(start), names }];
      }),
      ...dynamicImports.map(({ start, moduleRequest }) => ({
        specifier: text.slice(moduleRequest.start, moduleRequest.end).replace(/^(["'`])(.*)\1$/s, "$2"),
        line: lineAt(start),
        names: ["*"],
      })),
    ],
    program: () => parsed.program,
    lineAt,
  };
}
