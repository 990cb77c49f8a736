export {
  type AccessDecision,
  type AccessRequest,
  type AccessRule,
  allowAnyone,
  allowMesh,
  type CompiledAccess,
  compileAccess,
  decide,
  denyAll,
} from "./access.ts";
export { inferencePaths } from "./inference-paths.ts";
export { namespaceIdPrefix, serviceAccountId, workloadIdPrefix } from "./spiffe-id.ts";
export { matchesText, type TextMatch } from "./text-match.ts";
