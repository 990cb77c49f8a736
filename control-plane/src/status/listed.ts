import { type Manifest, type ObjectKey, type ObjectRef, objectKey } from "@hedgerow/manifest";
import type { SourceView } from "../last-good/source-view.ts";
import type { Programmed } from "./programmed.ts";

export type ListedView = Pick<SourceView, "objects"> & Partial<Pick<SourceView, "cluster">>;

/**
 * Which objects a status is about. Of a directory all; of a cluster not the Services that no policy, route or Workload names,
 * unless a proxy refuses something of them: a cluster has a thousand, nobody wrote them for us, and they would hide the rest.
 */
export function listing({
  objects,
  cluster,
}: ListedView): (ref: ObjectRef, programmed: Programmed | undefined) => boolean {
  if (cluster === undefined) return () => true;
  const named = new Set(objects.flatMap(({ manifest }) => servicesNamed(manifest)));
  return (ref, programmed) =>
    ref.kind !== "Service" ||
    named.has(objectKey(ref)) ||
    programmed?.lags.some(({ reason }) => reason === "Rejected") === true;
}

function servicesNamed(manifest: Manifest): readonly ObjectKey[] {
  const { namespace } = manifest.metadata;
  const inNamespace = ({ name }: { readonly name: string }) => objectKey({ kind: "Service", namespace, name });
  switch (manifest.kind) {
    case "AccessPolicy":
    case "TrafficPolicy":
      return manifest.spec.targetRefs.map(inNamespace);
    case "AuditPolicy":
      return manifest.spec.targetRefs.filter(({ kind }) => kind === "Service").map(inNamespace);
    case "HTTPRoute":
      return [...manifest.spec.parentRefs, ...manifest.spec.rules.flatMap((rule) => rule.backendRefs)].map(inNamespace);
    case "Workload":
      return manifest.spec.upstreams.map(({ service }): ObjectKey => {
        const [of = "", name = ""] = service.split("/");
        return objectKey({ kind: "Service", namespace: of, name });
      });
    case "MeshConfig":
    case "Service":
      return [];
  }
}
