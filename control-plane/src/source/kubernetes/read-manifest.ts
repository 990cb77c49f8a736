import { type Manifest, readObject } from "@hedgerow/manifest";
import { fieldOf, type JsonObject, listIn, objectIn, textIn } from "../../kubernetes/json-fields.ts";
import type { ManifestRecord } from "./manifest-part.ts";

/** The kinds that are read as manifests: with the checks and the words of files. */
export type CheckedKind = Exclude<Manifest["kind"], "Service">;

const apiVersions: Readonly<Record<CheckedKind, string>> = {
  MeshConfig: "hedgerow.dev/v1alpha1",
  Workload: "hedgerow.dev/v1alpha1",
  AccessPolicy: "hedgerow.dev/v1alpha1",
  AuditPolicy: "hedgerow.dev/v1alpha1",
  TrafficPolicy: "hedgerow.dev/v1alpha1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
};

/** The name under which an object stands in problems: KIND/NAMESPACE/NAME. `key`: NAMESPACE/NAME, or NAME of a cluster-wide one. */
export function fileOf(kind: CheckedKind, key: string): string {
  return key.includes("/") ? `${kind}/${key}` : `${kind}/default/${key}`;
}

/** An object of the API server. Undefined: an HTTPRoute that is none of ours, for it hangs on Gateways alone. Never throws. */
export function readManifest(kind: CheckedKind, key: string, raw: JsonObject): ManifestRecord | undefined {
  const value = kind === "HTTPRoute" ? meshRoute(raw) : raw;
  if (value === undefined) return undefined;
  const generation = fieldOf(objectIn(raw, "metadata"), "generation");
  return {
    // The entries of a list may leave out what the list says.
    document: readObject({ ...value, apiVersion: apiVersions[kind], kind }, fileOf(kind, key)),
    generation: typeof generation === "number" && Number.isSafeInteger(generation) && generation > 0 ? generation : 1,
  };
}

/** An HTTPRoute as far as it concerns Services: its other parents, Gateways, are the business of their controllers. */
function meshRoute(raw: JsonObject): JsonObject | undefined {
  const spec = objectIn(raw, "spec");
  const parents = listIn(spec, "parentRefs", 32);
  const services = parents.filter((parent) => textIn(parent, "kind") === "Service");
  if (services.length === 0) return undefined;
  return services.length === parents.length ? raw : { ...raw, spec: { ...spec, parentRefs: services } };
}
