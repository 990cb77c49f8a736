export { type AdminClient, adminClient, isProgrammed, objectStatus } from "./mesh/admin.ts";
export { type Digit, heldBackDigits, PIXELS } from "./mesh/digits.ts";
export { Load } from "./mesh/load.ts";
export { accessFile, routeFile } from "./mesh/manifests.ts";
export { type Caller, Mesh, type MeshOptions, type Predictor, startMesh } from "./mesh/mesh.ts";
export { Part, readLines } from "./mesh/part.ts";
export { freePort } from "./mesh/ports.ts";
export { type Answer, classify, type PredictorClient, predictorClient } from "./mesh/predict.ts";
export { until } from "./mesh/until.ts";
