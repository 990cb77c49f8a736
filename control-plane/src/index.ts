// The pure door: what runs on a person's files, in the CLI and in tests, as it runs in the control plane.
export { trustDomainOfRoot } from "./ca/peer.ts";
export {
  DEFAULT_CONCURRENCY,
  DEFAULT_ENROLL_ADDRESS,
  DEFAULT_MESH_ADDRESS,
  type InjectionContext,
} from "./inject/context.ts";
export type { PatchOperation } from "./inject/json-patch.ts";
export { type Injection, injectPod } from "./inject/pod.ts";
export { type PodPlace, podPlaces, SYSTEM_NAMESPACES } from "./inject/workload.ts";
export { buildModel, type ModelInput, type ModelResult } from "./model/build.ts";
export type { Finding } from "./model/finding.ts";
export type { Model } from "./model/model.ts";
export { checkConsistency, type Inconsistency } from "./snapshot/consistency.ts";
export type { MeshSnapshot, NodeId, Origin, ProxySnapshot, Resource } from "./snapshot/snapshot.ts";
export { renderYaml, resourceJson, TYPE_NAMES, type TypeName } from "./snapshot/yaml.ts";
export { translate } from "./translate/translate.ts";
