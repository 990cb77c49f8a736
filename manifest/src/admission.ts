import { findCollisions } from "./collisions.ts";
import { fieldName } from "./field-name.ts";
import { copyJson } from "./json-value.ts";
import { defaultParseLimits } from "./limits.ts";
import { meshPart } from "./mesh-part.ts";
import { notesOn } from "./notes.ts";
import { objectKey, objectRef, type SourceObject } from "./object.ts";
import type { Problem } from "./problem.ts";
import { readObject } from "./read-object.ts";

/** What is to be said of an object before an API server takes it. */
export interface ObjectReview {
  /** As `hedgerow validate` finds them, without lines. None: it may pass. */
  readonly problems: readonly Problem[];
  /** What is legal and unwise, as FIELD MESSAGE. */
  readonly warnings: readonly string[];
}

/** Kubernetes asks for no more than that, and cuts at 256: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response */
const maxWarningCharacters = 120;
const maxWarnings = 16;
/** A refusal goes through logs, events and terminals. */
const maxRefusalCharacters = 4096;

/**
 * Judges an object as a webhook is handed it. `catalog`: the objects that are in force, where they are known; the object
 * may not stand beside another one of them that excludes it. Never throws, whatever `value` is.
 */
export function reviewObject(
  value: unknown,
  { catalog = [] }: { readonly catalog?: readonly SourceObject[] } = {},
): ObjectReview {
  const copy = copyJson(value, defaultParseLimits);
  const part = copy === undefined ? value : meshPart(copy.value);
  if (part === undefined) return { problems: [], warnings: [] };
  const { object, problems } = readObject(part, "object");
  if (object === undefined) return { problems, warnings: [] };
  const key = objectKey(objectRef(object.manifest));
  const others = catalog.filter(({ manifest }) => objectKey(objectRef(manifest)) !== key);
  const collisions = findCollisions([...others, object]).filter((collision) => collision.object === object);
  const notes = notesOn(object.manifest).map(({ path, message }) => cut(`${fieldName(path)} ${message}`));
  const left = notes.length - maxWarnings;
  return {
    problems: collisions.map(({ problem }) => problem),
    warnings: left > 0 ? [...notes.slice(0, maxWarnings - 1), `${left + 1} more warnings: hedgerow validate`] : notes,
  };
}

/** The text of a refusal: a line a problem, in the words of `hedgerow validate`; what does not fit is counted. */
export function refusalText(problems: readonly Problem[]): string {
  const lines: string[] = [];
  let characters = 0;
  for (const { message } of problems) {
    characters += message.length + 1;
    if (characters > maxRefusalCharacters && lines.length > 0) break;
    lines.push(message.slice(0, maxRefusalCharacters));
  }
  const left = problems.length - lines.length;
  return (left === 0 ? lines : [...lines, `and ${left} more`]).join("\n");
}

function cut(text: string): string {
  return text.length <= maxWarningCharacters ? text : `${text.slice(0, maxWarningCharacters - 1)}…`;
}
