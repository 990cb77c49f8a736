import type { Manifest } from "./kinds/manifest.ts";
import type { FieldPath, Position } from "./problem.ts";

/** Names one object of the mesh; equal objects have equal keys: KIND/NAMESPACE/NAME. */
export type ObjectKey = `${string}/${string}/${string}`;

export interface ObjectRef {
  readonly kind: Manifest["kind"];
  readonly namespace: string;
  readonly name: string;
}

/** A valid manifest and where it was written. */
export interface SourceObject<M extends Manifest = Manifest> {
  readonly manifest: M;
  /** The document's own YAML, from which it can be read again. */
  readonly text: string;
  readonly file: string;
  /** Line of `text`'s first line in `file`, from 1. */
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
