// What was edited in a directory of manifests: what is written now beside what was recorded of it.
import { createHash } from "node:crypto";
import type { PolicyEdited } from "@hedgerow/ledger";
import { type ObjectRef, objectKey, objectRef, type Problem, type SourceObject } from "@hedgerow/manifest";
import type { SourceView } from "../last-good/source-view.ts";

/** By what is edited, SHA-256 of what was recorded of it, base64url. */
export type Recorded = ReadonlyMap<string, string>;

export interface Edit {
  readonly key: string;
  /** Undefined: there is nothing of it any more. */
  readonly digest: string | undefined;
  /** Whose owner made the edit; undefined: it is gone. */
  readonly file: string | undefined;
  /** Undefined: nothing to tell, as when a refused edit was taken back. */
  readonly record: Omit<PolicyEdited, "by"> | undefined;
}

interface Written {
  readonly digest: string;
  readonly file: string;
  readonly record: (known: boolean) => Omit<PolicyEdited, "by">;
}

const OBJECT = "object ";
const REFUSED = "refused ";
const MAX_PROBLEM_LENGTH = 2_048;

/** In the order of their keys. */
export function editsSince(recorded: Recorded, view: SourceView): readonly Edit[] {
  const written = new Map([...accepted(view), ...refused(view)]);
  const edits: Edit[] = [];
  for (const key of [...new Set([...recorded.keys(), ...written.keys()])].sort()) {
    const [before, now] = [recorded.get(key), written.get(key)];
    if (now === undefined) edits.push({ key, digest: undefined, file: undefined, record: goneRecord(key) });
    else if (now.digest !== before)
      edits.push({ key, digest: now.digest, file: now.file, record: now.record(before !== undefined) });
  }
  return edits;
}

function* accepted({ objects, stale, generations }: SourceView): Iterable<[string, Written]> {
  for (const object of objects) {
    const ref = objectRef(object.manifest);
    const key = objectKey(ref);
    const generation = generations.get(key);
    // One that stands at its last good version keeps the digest of that version.
    const written: Written = {
      digest: digestOf(object.text),
      file: object.file,
      record: (known) => ({
        type: "policy.edited",
        operation: known ? "update" : "create",
        ...nameOf(ref),
        ...(generation === undefined ? {} : { generation }),
        ...(stale.has(key) ? {} : { where: placeOf(object) }),
        spec: "spec" in object.manifest ? object.manifest.spec : {},
      }),
    };
    yield [OBJECT + key, written];
  }
}

function* refused({ problems, stale, neverGood, objects }: SourceView): Iterable<[string, Written]> {
  const told = new Set<Problem>();
  const refs = new Map<string, ObjectRef>(
    objects.map(({ manifest }) => [objectKey(objectRef(manifest)), objectRef(manifest)]),
  );
  for (const [key, found] of stale) {
    const ref = refs.get(key);
    if (ref !== undefined) yield refusal(key, ref, found);
    for (const problem of found) told.add(problem);
  }
  for (const { ref, problems: found } of neverGood) {
    yield refusal(objectKey(ref), ref, found);
    for (const problem of found) told.add(problem);
  }
  // What is so wrong that it is no object at all.
  const rest = Map.groupBy(
    problems.filter((problem) => !told.has(problem)),
    ({ position }) => position.file,
  );
  for (const [file, found] of rest) yield refusal(`File//${file}`, { kind: "File", namespace: "", name: file }, found);
}

function refusal(
  key: string,
  ref: { kind: string; namespace: string; name: string },
  problems: readonly Problem[],
): [string, Written] {
  const [first] = problems;
  const text = problems.map(({ position, field, message }) => `${position.line}: ${field} ${message}`).join("; ");
  const file = first?.position.file ?? "";
  const written: Written = {
    digest: digestOf(text),
    file,
    record: () => ({
      type: "policy.edited",
      operation: "refused",
      ...nameOf(ref),
      where: `${file}:${first?.position.line ?? 0}`,
      problem: text.slice(0, MAX_PROBLEM_LENGTH),
    }),
  };
  return [REFUSED + key, written];
}

function goneRecord(key: string): Omit<PolicyEdited, "by"> | undefined {
  if (!key.startsWith(OBJECT)) return undefined;
  const [kind = "", namespace = "", name = ""] = key.slice(OBJECT.length).split("/");
  return { type: "policy.edited", operation: "delete", kind, namespace, name };
}

const nameOf = ({ kind, namespace, name }: { kind: string; namespace: string; name: string }) => ({
  kind,
  namespace,
  name,
});
const placeOf = ({ file, line }: SourceObject) => `${file}:${line}`;
const digestOf = (text: string) => createHash("sha256").update(text).digest("base64url");
