import { fieldName } from "./field-name.ts";
import type { Manifest } from "./kinds/manifest.ts";
import { objectKey, objectRef, type SourceObject } from "./object.ts";
import type { FieldPath, Position, Problem } from "./problem.ts";

/** An object that cannot stand beside another one. */
export interface Collision {
  readonly object: SourceObject;
  readonly problem: Problem;
}

/** What an object takes for itself, and the field that says so. */
interface Claim {
  readonly claim: string;
  readonly path: FieldPath;
  readonly message: (other: string) => string;
}

/** What is wrong between objects that are each valid by themselves; the earlier of two is in the right. */
export function checkObjects(objects: readonly SourceObject[]): readonly Problem[] {
  return findCollisions(objects).map(({ problem }) => problem);
}

/** As `checkObjects`, with the object that is to give way. */
export function findCollisions(objects: readonly SourceObject[]): readonly Collision[] {
  const owners = new Map<string, Position>();
  const collisions: Collision[] = [];
  for (const object of objects) {
    const claims = claimsOf(object.manifest);
    const lost = claims.filter(({ claim }) => owners.has(claim));
    for (const { claim, path, message } of lost) {
      const owner = owners.get(claim);
      const other =
        owner === undefined ? "" : owner.line === 0 ? owner.file : `${owner.file}:${owner.line}:${owner.column}`;
      const problem: Problem = {
        position: object.positionOf(path),
        field: fieldName(path),
        code: "duplicate",
        message: message(other),
      };
      collisions.push({ object, problem });
      // One object twice collides in everything it claims: that it is there twice says it all.
      if (claim.startsWith("object ")) break;
    }
    // What gives way keeps nothing from those that follow.
    if (lost.length === 0) for (const { claim, path } of claims) owners.set(claim, object.positionOf(path));
  }
  return collisions;
}

function claimsOf(manifest: Manifest): readonly Claim[] {
  const key = objectKey(objectRef(manifest));
  const itself: Claim = {
    claim: `object ${key}`,
    path: ["metadata", "name"],
    message: (other) => `${key} is already written at ${other}`,
  };
  switch (manifest.kind) {
    case "MeshConfig":
      return [
        itself,
        {
          claim: "mesh config",
          path: ["kind"],
          message: (other) => `only one MeshConfig may exist; the other is at ${other}`,
        },
      ];
    case "Workload":
      return [
        itself,
        ...manifest.spec.inbound.map(({ port }, index) => ({
          claim: `listen ${manifest.spec.address} ${port}`,
          path: ["spec", "inbound", index, "port"],
          message: (other: string) => `${manifest.spec.address}:${port} already belongs to the Workload at ${other}`,
        })),
      ];
    case "Service":
    case "HTTPRoute":
    case "AccessPolicy":
    case "AuditPolicy":
    case "TrafficPolicy":
      return [itself];
  }
}
