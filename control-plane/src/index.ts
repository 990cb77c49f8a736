// The pure door: what runs on a person's files, in the CLI and in tests, as it runs in the control plane.
export { buildModel, type ModelInput, type ModelResult } from "./model/build.ts";
export type { Finding } from "./model/finding.ts";
export type { Model } from "./model/model.ts";
export { checkConsistency, type Inconsistency } from "./snapshot/consistency.ts";
export type { MeshSnapshot, NodeId, Origin, ProxySnapshot, Resource } from "./snapshot/snapshot.ts";
export { renderYaml, resourceJson, TYPE_NAMES, type TypeName } from "./snapshot/yaml.ts";
export { translate } from "./translate/translate.ts";
