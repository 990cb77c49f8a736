import type { Manifest } from "./kinds/manifest.ts";
import type { FieldPath, Position } from "./problem.ts";

/** Names one object of the mesh; equal objects have equal keys: KIND/NAMESPACE/NAME. */
export type ObjectKey = `${string}/${string}/${string}`;

export interface ObjectRef {
  /** A pod of Kubernetes has no manifest here, and things come from it all the same. */
  readonly kind: Manifest["kind"] | "Pod";
  readonly namespace: string;
  readonly name: string;
}

/** A valid manifest and where it was written. */
export interface SourceObject<M extends Manifest = Manifest> {
  readonly manifest: M;
  /** The document's own YAML, from which it can be read again. */
  readonly text: string;
  readonly file: string;
  /** Line of `text`'s first line in `file`, from 1; 0: an object of an API server, which has no lines. */
  readonly line: number;
  /** Where a field stands, or its nearest written ancestor when the field itself was left out. */
  positionOf(path: FieldPath): Position;
}

export function objectKey({ kind, namespace, name }: ObjectRef): ObjectKey {
  return `${kind}/${namespace}/${name}`;
}

export function objectRef({ kind, metadata: { namespace, name } }: Manifest): ObjectRef {
  return { kind, namespace, name };
}
