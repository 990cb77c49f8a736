import { fieldName, nearestName, shownValue } from "./field-name.ts";
import { isMapping, withoutFields } from "./field-pattern.ts";
import { collidingEntries } from "./kinds/distinct-entries.ts";
import { ignoredFields } from "./kinds/ignored-fields.ts";
import { type Manifest, manifestSchemas } from "./kinds/manifest.ts";
import { defaultParseLimits, type ParseLimits } from "./limits.ts";
import type { ObjectRef, SourceObject } from "./object.ts";
import type { FieldPath, Position, Problem } from "./problem.ts";
import { schemaProblems } from "./schema-problems.ts";
import { readYaml, type YamlDocument } from "./yaml-documents.ts";
import { type FieldProblem, pathKey, type ReadValue, readValue, type YamlValue } from "./yaml-value.ts";

/** One document of a manifest file. */
export interface ParsedDocument {
  /** Which object it means to be; undefined where kind or name cannot be relied upon. */
  readonly ref: ObjectRef | undefined;
  /** Present when nothing is wrong with it. */
  readonly object: SourceObject | undefined;
  readonly problems: readonly Problem[];
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
  // What could not be read has been said once, and what it stands for is not known.
  const unread = new Set(read.problems.map(({ path }) => pathKey(path)));
  const incomplete = read.problems.some(({ code }) => code === "too_large");
  const { ref, manifest, problems } = incomplete ? nothingValid : validate(read.value);
  const located = [
    ...read.problems.map((found) => ({ found, offset: found.offset })),
    ...problems
      .filter(({ path }) => !unread.has(pathKey(path)))
      .map((found) => ({
        found,
        offset: (found.at === "name" ? read.names.get(pathKey(found.path)) : undefined) ?? offsetIn(read, found.path),
      })),
  ].sort((a, b) => a.offset - b.offset);
  if (manifest !== undefined && located.length === 0) {
    const object = { manifest, text, file, line: position(start).line, positionOf };
    return { ref, object, problems: [] };
  }
  const shown = located.slice(0, limits.problems).map(
    ({ found: { path, code, message }, offset }): Problem => ({
      position: position(offset),
      field: fieldName(path),
      code,
      message,
    }),
  );
  if (located.length > shown.length)
    shown.push({
      position: position(start),
      field: "",
      code: "too_large",
      message: `${located.length - shown.length} more problems in this document`,
    });
  return { ref, object: undefined, problems: shown };

  function offsetIn({ fields }: ReadValue, path: FieldPath): number {
    return nearestOffset(fields, path) ?? start;
  }
}

/** Offset of a field, or of its nearest ancestor that is written. */
function nearestOffset(fields: ReadonlyMap<string, number>, path: FieldPath): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const offset = fields.get(pathKey(path.slice(0, length)));
    if (offset !== undefined) return offset;
  }
  return undefined;
}

interface Validated {
  readonly ref: ObjectRef | undefined;
  readonly manifest: Manifest | undefined;
  readonly problems: readonly FieldProblem[];
}

const nothingValid: Validated = { ref: undefined, manifest: undefined, problems: [] };

function validate(value: YamlValue): Validated {
  if (!isMapping(value)) {
    const message = `document must be a mapping with apiVersion, kind, metadata and spec, not ${shownValue(value)}`;
    return { ref: undefined, manifest: undefined, problems: [{ path: [], at: "value", code: "wrong_type", message }] };
  }
  const kind = value["kind"];
  if (kind === undefined) {
    const message = "missing field kind";
    return {
      ref: undefined,
      manifest: undefined,
      problems: [{ path: ["kind"], at: "value", code: "missing_field", message }],
    };
  }
  if (!isKnownKind(kind)) {
    const known = Object.keys(manifestSchemas);
    const near = typeof kind === "string" ? nearestName(kind, known) : undefined;
    const hint = near === undefined ? `known kinds: ${known.join(", ")}` : `did you mean ${near}?`;
    const message = `unknown kind ${shownValue(kind)}; ${hint}`;
    return {
      ref: undefined,
      manifest: undefined,
      problems: [{ path: ["kind"], at: "value", code: "unknown_kind", message }],
    };
  }
  const wrote = withoutFields(value, "metadata.creationTimestamp", (time) => time === null);
  const kept = ignoredFields[kind].reduce<YamlValue>((rest, pattern) => withoutFields(rest, pattern), wrote);
  const result = schemaProblems<Manifest>(manifestSchemas[kind], kept);
  const collisions = collidingEntries(kind, kept);
  const problems = result.ok ? collisions : [...result.problems, ...collisions];
  return { ref: refOf(kind, kept), manifest: result.ok ? result.value : undefined, problems };
}

function isKnownKind(kind: YamlValue): kind is Manifest["kind"] {
  return typeof kind === "string" && Object.hasOwn(manifestSchemas, kind);
}

function refOf(kind: Manifest["kind"], value: YamlValue): ObjectRef | undefined {
  const metadata = isMapping(value) ? value["metadata"] : undefined;
  if (!isMapping(metadata)) return undefined;
  const { name, namespace = "default" } = metadata;
  return typeof name === "string" && typeof namespace === "string" ? { kind, namespace, name } : undefined;
}
