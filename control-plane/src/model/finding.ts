import type { FieldPath, ObjectRef } from "@hedgerow/manifest";

/** Something to say about an object that is valid by itself: the reason of a condition that is not as it should be. */
export interface Finding {
  readonly object: ObjectRef;
  readonly path: FieldPath;
  /** The condition that it turns: Accepted and ResolvedRefs to False, Conflicted to True. */
  readonly condition: "Accepted" | "ResolvedRefs" | "Conflicted";
  /** CamelCase, stable, from the Gateway API where it has one (BackendNotFound, RefNotPermitted, …). */
  readonly reason: string;
  readonly message: string;
}
