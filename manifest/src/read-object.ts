import { copyJson, placeJson } from "./json-value.ts";
import type { Manifest } from "./kinds/manifest.ts";
import { defaultParseLimits, type ParseLimits } from "./limits.ts";
import type { SourceObject } from "./object.ts";
import { fileProblem, type ParsedDocument } from "./parse.ts";
import { placed } from "./placed.ts";
import type { Position } from "./problem.ts";
import { nothingValid, validate, validateWhatWasRead } from "./validate.ts";
import type { YamlValue } from "./yaml-value.ts";

/**
 * Reads an object as an API server has it: the same checks in the same words as `parseFile` has for the same content.
 * `file` is only a name for positions, which have no line (0). Never throws, whatever `value` is. Of `limits` `documents`
 * means nothing here, and `bytes` bounds the object as JSON, without the fields that are not read.
 */
export function readObject(value: unknown, file: string, limits: ParseLimits = defaultParseLimits): ParsedDocument {
  const copy = copyJson(value, limits);
  const { ref, manifest, problems, read } = copy === undefined ? nothingValid : validate(copy.value);
  // What is wrong is read once more, slowly, for the order of the problems.
  if (copy === undefined || manifest === undefined || problems.length > 0) return explain(value, file, limits);
  const object = new ReadObject(manifest, read, file);
  if (copy.bytesAtMost <= limits.bytes || new TextEncoder().encode(object.text).length <= limits.bytes)
    return { ref, object, problems: [] };
  const problem = fileProblem(file, "too_large", `object has more than ${limits.bytes} bytes`);
  return { ref, object: undefined, problems: [problem] };
}

function explain(value: unknown, file: string, limits: ParseLimits): ParsedDocument {
  const read = placeJson(value, limits);
  const { ref, problems } = validateWhatWasRead(read);
  const position = () => nowhereIn(file);
  return { ref, object: undefined, problems: placed(problems, read, { start: 0, position, limits }) };
}

/** The same object without places: as `readObject` would have read its text. */
export function withoutLines({ manifest, text, file }: SourceObject): SourceObject {
  return { manifest, text, file, line: 0, positionOf: () => nowhereIn(file) };
}

function nowhereIn(file: string): Position {
  return { file, line: 0, column: 0 };
}

class ReadObject implements SourceObject {
  readonly manifest: Manifest;
  readonly file: string;
  readonly line = 0;
  readonly #read: YamlValue;

  constructor(manifest: Manifest, read: YamlValue, file: string) {
    this.manifest = manifest;
    this.file = file;
    this.#read = read;
  }

  /** JSON, which is YAML; made anew each time, for few objects are ever asked for it. */
  get text(): string {
    return JSON.stringify(this.#read);
  }

  positionOf(): Position {
    return nowhereIn(this.file);
  }
}
