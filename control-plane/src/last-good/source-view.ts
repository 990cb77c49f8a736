import type { ObjectKey, ObjectRef, Problem, SourceObject } from "@hedgerow/manifest";
import type { ClusterState } from "../cluster/state.ts";

/** What the mesh is to be built from: at most one object a key, each at its newest valid version. Immutable. */
export interface SourceView {
  /** In the order of their keys. */
  readonly objects: readonly SourceObject[];
  /** Everything wrong with what is written now, in the order of files and lines. */
  readonly problems: readonly Problem[];
  /** Objects that stand at their last good version, and what is wrong with what is written. */
  readonly stale: ReadonlyMap<ObjectKey, readonly Problem[]>;
  /** What is written, cannot be used, and never could: nothing of it is in force. In the order of their keys. */
  readonly neverGood: readonly { readonly ref: ObjectRef; readonly problems: readonly Problem[] }[];
  /** From 1, one more each time the content of the object that stands changes; of every object. */
  readonly generations: ReadonlyMap<ObjectKey, number>;
  /** Undefined: the manifests come from a directory, and Workloads are all that there is. */
  readonly cluster: ClusterState | undefined;
}

/** What outlives a restart: the part of a view that a later one is merged with. */
export type LastGood = Pick<SourceView, "objects" | "generations">;

export const nothingGood: LastGood = { objects: [], generations: new Map() };

/** A view of what was good before, until what is written now is known. */
export function viewOf({ objects, generations }: LastGood): SourceView {
  return { objects, problems: [], stale: new Map(), neverGood: [], generations, cluster: undefined };
}
