// The replicas of the control plane, as their Service has them.
import { objectKey } from "@hedgerow/manifest";
import type { ClusterEndpoint, ClusterState } from "../cluster/state.ts";
import type { NodeId } from "../snapshot/snapshot.ts";

const SERVICE = "control-plane";
/** Of the Service; that of the pods is in the endpoints. */
const MESH_PORT = 15012;

/** Where the others listen for each other; the one that is `self` (NAMESPACE/POD) is left out. */
export function otherReplicas(cluster: ClusterState | undefined, self: NodeId): readonly ClusterEndpoint[] {
  const [namespace = ""] = self.split("/");
  const service = cluster?.services.get(objectKey({ kind: "Service", namespace, name: SERVICE }));
  const endpoints = service?.ports.find(({ port }) => port === MESH_PORT)?.endpoints ?? [];
  // Whatever is not a pod is nobody that we know how to tell from ourselves.
  return endpoints.filter(({ pod }) => pod !== undefined && pod !== self);
}
