export type { AccessMethod, AccessPolicy } from "./kinds/access-policy.ts";
export type { HTTPRoute } from "./kinds/http-route.ts";
export type { Manifest } from "./kinds/manifest.ts";
export type { MeshConfig } from "./kinds/mesh-config.ts";
export type { Service } from "./kinds/service.ts";
export type { Workload } from "./kinds/workload.ts";
export { type ObjectKey, type ObjectRef, objectKey, objectRef, type SourceObject } from "./object.ts";
export type { FieldPath, Position, Problem, ProblemCode } from "./problem.ts";
