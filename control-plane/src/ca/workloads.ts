import type { SourceObject } from "@hedgerow/manifest";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { WorkloadIdentity } from "./names.ts";

/** Who the manifests let enrol, by node id. */
export function workloadIdentities(objects: readonly SourceObject[]): ReadonlyMap<NodeId, WorkloadIdentity> {
  return new Map(
    objects.flatMap(({ manifest }): [NodeId, WorkloadIdentity][] => {
      if (manifest.kind !== "Workload") return [];
      const { metadata, spec } = manifest;
      const nodeId = `${metadata.namespace}/${metadata.name}`;
      return [[nodeId, { nodeId, serviceAccount: spec.serviceAccount, region: spec.region }]];
    }),
  );
}
