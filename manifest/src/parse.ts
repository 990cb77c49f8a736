import { defaultParseLimits, type ParseLimits } from "./limits.ts";
import type { ObjectRef, SourceObject } from "./object.ts";
import { nearestOffset, placed } from "./placed.ts";
import type { FieldPath, Position, Problem } from "./problem.ts";
import { validateWhatWasRead } from "./validate.ts";
import { readYaml, type YamlDocument } from "./yaml-documents.ts";
import { readValue } from "./yaml-value.ts";

/** One document of a manifest file. */
export interface ParsedDocument {
  /** Which object it means to be; undefined where kind or name cannot be relied upon. */
  readonly ref: ObjectRef | undefined;
  /** Present when nothing is wrong with it. */
  readonly object: SourceObject | undefined;
  readonly problems: readonly Problem[];
  /**
   * Set where the problem is only that a mesh does not read such an object, which another may: what it is, as in Deployment.
   * In a cluster it is none of our business.
   */
  readonly foreign?: string;
}

export interface ParsedFile {
  readonly documents: readonly ParsedDocument[];
  /** What stopped the reading of the file as a whole: documents may be missing. */
  readonly problems: readonly Problem[];
}

/**
 * Reads the text of a manifest file, document by document: every object that is valid by itself, and everything that is
 * wrong with the others. `file` is only a name for positions. Never throws, whatever the text.
 */
export function parseFile(file: string, text: string, limits: ParseLimits = defaultParseLimits): ParsedFile {
  const source = text.replace(/^\uFEFF/, "");
  if (source.length > limits.bytes || new TextEncoder().encode(source).length > limits.bytes)
    return { documents: [], problems: [fileProblem(file, "too_large", `file has more than ${limits.bytes} bytes`)] };
  const { documents, problem, lines } = readYaml(source, limits);
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  return {
    documents: documents.map((document) => readDocument(document, file, position, limits)),
    problems: problem
      ? [{ position: position(problem.offset), field: "", code: problem.code, message: problem.message }]
      : [],
  };
}

/** As `parseFile`, without saying which document is which. Problems stand in the order of the text. */
export function parseManifests(
  file: string,
  text: string,
  limits: ParseLimits = defaultParseLimits,
): { readonly objects: readonly SourceObject[]; readonly problems: readonly Problem[] } {
  const parsed = parseFile(file, text, limits);
  return {
    objects: parsed.documents.flatMap(({ object }) => (object ? [object] : [])),
    problems: [...parsed.documents.flatMap(({ problems }) => problems), ...parsed.problems],
  };
}

/** A problem of a file as a whole. */
export function fileProblem(file: string, code: Problem["code"], message: string): Problem {
  return { position: { file, line: 0, column: 0 }, field: "", code, message };
}

function readDocument(
  { start, text, yaml, problem }: YamlDocument,
  file: string,
  position: (offset: number) => Position,
  limits: ParseLimits,
): ParsedDocument {
  if (yaml === undefined || problem !== undefined) {
    const { offset, code, message } = problem ?? { offset: start, code: "syntax" as const, message: "not YAML" };
    return { ref: undefined, object: undefined, problems: [{ position: position(offset), field: "", code, message }] };
  }
  const read = readValue(yaml, limits);
  const positionOf = (path: FieldPath): Position => position(nearestOffset(read.fields, path) ?? start);
  const { ref, manifest, problems, foreign } = validateWhatWasRead(read);
  if (manifest !== undefined && problems.length === 0 && read.problems.length === 0) {
    const object = { manifest, text, file, line: position(start).line, positionOf };
    return { ref, object, problems: [] };
  }
  const document = { ref, object: undefined, problems: placed(problems, read, { start, position, limits }) };
  return foreign === undefined ? document : { ...document, foreign };
}
