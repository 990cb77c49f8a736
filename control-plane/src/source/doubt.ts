import { type ObjectKey, objectKey, objectRef } from "@hedgerow/manifest";
import type { FileContent } from "./read.ts";

/** Pages and the buffers of most writers are multiples of this: where a write that goes on tends to pause. */
const pageBytes = 4096;

/**
 * Whether a file looks as if its writer had not come to the end yet, so that it should rest for longer before it is
 * believed. Only signs: a writer that pauses at the end of a line, between two pages, after all objects that the file had
 * before, cannot be told from one that is done.
 */
export function looksUnfinished(
  { text, state }: FileContent,
  before: FileContent | undefined,
  formerKeys: ReadonlySet<ObjectKey>,
): boolean {
  // An end of the file within a document seldom leaves it valid.
  if (state.problems.length > 0 || state.documents.some(({ problems }) => problems.length > 0)) return true;
  const keys = new Set(
    state.documents.flatMap(({ object }) => (object ? [objectKey(objectRef(object.manifest))] : [])),
  );
  if ([...formerKeys].some((key) => !keys.has(key))) return true;
  // Who never ends a file with a new line is not stopped by its absence.
  const endedBefore = before === undefined || before.text.endsWith("\n");
  if (text !== "" && !text.endsWith("\n") && endedBefore) return true;
  if (before !== undefined && text.length < before.text.length && before.text.startsWith(text)) return true;
  const bytes = Buffer.byteLength(text);
  return bytes > 0 && bytes % pageBytes === 0;
}
