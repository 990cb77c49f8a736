import {
  formatProblem,
  type ObjectKey,
  objectKey,
  objectRef,
  parseFile,
  type SourceObject,
  withoutLines,
} from "@hedgerow/manifest";
import { z } from "zod";
import type { LastGood } from "./source-view.ts";

/** A file has as many lines as bytes at most; more would only cost memory when it is read again. */
const maxLine = 1_048_576;

const format = z.strictObject({
  format: z.literal("hedgerow-last-good/1"),
  objects: z.array(
    z.strictObject({
      file: z.string().min(1),
      /** 0: an object of an API server. */
      line: z.int().min(0).max(maxLine),
      generation: z.int().min(1),
      /** The document's own YAML. */
      text: z.string(),
    }),
  ),
});

/** The last good objects as text for a file. */
export function encodeLastGood({ objects, generations }: LastGood): string {
  const value: z.infer<typeof format> = {
    format: "hedgerow-last-good/1",
    objects: objects.map(({ manifest, text, file, line }) => ({
      file,
      line,
      generation: generations.get(objectKey(objectRef(manifest))) ?? 1,
      text,
    })),
  };
  return `${JSON.stringify(value, null, 1)}\n`;
}

/**
 * Reads what `encodeLastGood` wrote. `problems` tells what could not be read again, in words: all of it where the text is
 * damaged, or single objects that a newer version of Hedgerow refuses. Never throws.
 */
export function decodeLastGood(text: string): { readonly lastGood: LastGood; readonly problems: readonly string[] } {
  const objects: SourceObject[] = [];
  const generations = new Map<ObjectKey, number>();
  const problems: string[] = [];
  const parsed = format.safeParse(parseJson(text));
  if (!parsed.success) problems.push("not a file of last good manifests");
  else
    for (const { file, line, generation, text } of parsed.data.objects) {
      const { documents, problems: fileProblems } = parseFile(file, "\n".repeat(Math.max(0, line - 1)) + text);
      const object = documents[0]?.object;
      if (object !== undefined && documents.length === 1) {
        objects.push(line === 0 ? withoutLines(object) : object);
        generations.set(objectKey(objectRef(object.manifest)), generation);
      } else {
        const found = [...fileProblems, ...documents.flatMap((document) => document.problems)];
        problems.push(...found.map((problem) => formatProblem(problem)));
      }
    }
  return { lastGood: { objects, generations }, problems };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Judged by the schema, as any other text that is not ours.
    return undefined;
  }
}
