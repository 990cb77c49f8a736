import {
  findCollisions,
  type ObjectKey,
  objectKey,
  objectRef,
  type ParsedFile,
  type Problem,
  type SourceObject,
} from "@hedgerow/manifest";
import { sameContent } from "./same-content.ts";
import type { LastGood, SourceView } from "./source-view.ts";

/** What stands in a manifest file now; or, with problems and no documents, of a directory that cannot be read. */
export interface FileState extends ParsedFile {
  /** Relative to the directory of manifests; `.` is that directory itself. */
  readonly file: string;
}

export interface Written {
  readonly files: readonly FileState[];
  /** Files that are being written, or whose end is not believed yet: what came from them stands. */
  readonly unsettled: ReadonlySet<string>;
}

/**
 * The view after a change on disk. What is written and valid stands. What is written and not valid leaves its last good
 * version standing; so does what may be meant by a document that cannot be told apart, or may stand in a file that cannot
 * be read. What is gone from a readable file goes. Of two objects that exclude each other the one that stood first stays.
 */
export function mergeLastGood(previous: LastGood, { files, unsettled }: Written): SourceView {
  const incumbents = new Map(previous.objects.map((object) => [keyOf(object), object]));
  const candidates = byRight(
    files.flatMap(({ documents }) => documents.flatMap(({ object }) => (object ? [object] : []))),
    incumbents,
  );
  const written = problemsWritten(files);
  const refused = new Map<SourceObject, readonly Problem[]>();

  // Refusing an object brings back its last good version, which may exclude another: until nothing more is refused.
  for (;;) {
    const accepted = candidates.filter((object) => !refused.has(object));
    const standing = new Set(accepted.map(keyOf));
    const stale = new Map<ObjectKey, readonly Problem[]>();
    const kept: SourceObject[] = [];
    for (const [key, object] of incumbents) {
      if (standing.has(key)) continue;
      const problems = [
        ...[...refused].flatMap(([other, problems]) => (keyOf(other) === key ? problems : [])),
        ...written(key, object.file),
      ];
      if (problems.length > 0) stale.set(key, problems);
      if (problems.length > 0 || unsettled.has(object.file)) kept.push(object);
    }
    const collisions = findCollisions([...kept, ...accepted]).filter(({ object }) => !kept.includes(object));
    if (collisions.length === 0) {
      const objects = [...kept, ...accepted].sort((a, b) => compareText(keyOf(a), keyOf(b)));
      const problems = files.flatMap((file) => [
        ...file.problems,
        ...file.documents.flatMap((document) => document.problems),
      ]);
      return {
        objects,
        problems: [...problems, ...[...refused.values()].flat()].sort(byPosition),
        stale,
        neverGood: neverGood(files, refused, new Set(objects.map(keyOf))),
        generations: generationsOf(objects, incumbents, previous.generations),
        cluster: undefined,
      };
    }
    for (const { object, problem } of collisions) refused.set(object, [...(refused.get(object) ?? []), problem]);
  }
}

/** The documents with problems, and the objects refused, that stand in no version. */
function neverGood(
  files: readonly FileState[],
  refused: ReadonlyMap<SourceObject, readonly Problem[]>,
  standing: ReadonlySet<ObjectKey>,
): SourceView["neverGood"] {
  const known = files.flatMap(({ documents }) =>
    documents.flatMap(({ ref, problems }) => (ref && problems.length > 0 ? [{ ref, problems }] : [])),
  );
  const excluded = [...refused].map(([{ manifest }, problems]) => ({ ref: objectRef(manifest), problems }));
  const byKey = Map.groupBy([...known, ...excluded], ({ ref }) => objectKey(ref));
  return [...byKey]
    .filter(([key]) => !standing.has(key))
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([, [first, ...others]]) =>
      first ? [{ ref: first.ref, problems: [first, ...others].flatMap(({ problems }) => problems) }] : [],
    );
}

function keyOf({ manifest }: SourceObject): ObjectKey {
  return objectKey(objectRef(manifest));
}

/** What is wrong with what is written that may be meant to be a certain object, formerly in a certain file. */
function problemsWritten(files: readonly FileState[]): (key: ObjectKey, file: string) => readonly Problem[] {
  const byKey = new Map<ObjectKey, Problem[]>();
  const byPlace = new Map<string, Problem[]>();
  for (const { file, documents, problems } of files) {
    const unknown = [...problems];
    for (const document of documents) {
      if (document.problems.length === 0) continue;
      if (document.ref === undefined) unknown.push(...document.problems);
      else byKey.set(objectKey(document.ref), [...(byKey.get(objectKey(document.ref)) ?? []), ...document.problems]);
    }
    if (unknown.length > 0) byPlace.set(file, unknown);
  }
  return (key, file) => [...(byKey.get(key) ?? []), ...placesAbove(file).flatMap((place) => byPlace.get(place) ?? [])];
}

/** a/b.yaml stands in a/b.yaml, in a and in the directory itself. */
function placesAbove(file: string): readonly string[] {
  const parts = file.split("/");
  return [...parts.map((_, index) => parts.slice(0, parts.length - index).join("/")), "."];
}

/** Who came first: what did not change, then what changed in its place, then what is new, in the order of files. */
function byRight(
  objects: readonly SourceObject[],
  incumbents: ReadonlyMap<ObjectKey, SourceObject>,
): readonly SourceObject[] {
  const rank = (object: SourceObject): number => {
    const incumbent = incumbents.get(keyOf(object));
    if (incumbent === undefined || incumbent.file !== object.file) return 2;
    return sameContent(incumbent.manifest, object.manifest) ? 0 : 1;
  };
  return objects
    .map((object) => ({ object, rank: rank(object) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ object }) => object);
}

function generationsOf(
  objects: readonly SourceObject[],
  incumbents: ReadonlyMap<ObjectKey, SourceObject>,
  before: ReadonlyMap<ObjectKey, number>,
): ReadonlyMap<ObjectKey, number> {
  return new Map(
    objects.map((object) => {
      const key = keyOf(object);
      const incumbent = incumbents.get(key);
      const generation = before.get(key) ?? 0;
      const isSame = incumbent !== undefined && sameContent(incumbent.manifest, object.manifest);
      return [key, isSame ? Math.max(1, generation) : generation + 1];
    }),
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byPosition({ position: a }: Problem, { position: b }: Problem): number {
  return compareText(a.file, b.file) || a.line - b.line || a.column - b.column;
}
