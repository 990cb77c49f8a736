import type { FieldPattern } from "../field-pattern.ts";
import type { Manifest } from "./manifest.ts";

/** What an API server writes into every object: `kubectl get -o yaml` is a valid manifest. */
const serverFields: readonly FieldPattern[] = [
  "status",
  "metadata.uid",
  "metadata.resourceVersion",
  "metadata.generation",
  "metadata.generateName",
  "metadata.managedFields",
  "metadata.finalizers",
  "metadata.ownerReferences",
  "metadata.selfLink",
  "metadata.deletionTimestamp",
  "metadata.deletionGracePeriodSeconds",
];

/**
 * Fields that are accepted and not read, by kind: only what an API server fills in, or what means nothing to a mesh.
 * A field that would change what a caller gets is refused rather than ignored.
 */
export const ignoredFields: Readonly<Record<Manifest["kind"], readonly FieldPattern[]>> = {
  MeshConfig: serverFields,
  Workload: serverFields,
  Service: [
    ...serverFields,
    "spec.allocateLoadBalancerNodePorts",
    "spec.clusterIP",
    "spec.clusterIPs",
    "spec.externalIPs",
    "spec.externalTrafficPolicy",
    "spec.healthCheckNodePort",
    "spec.ipFamilies",
    "spec.ipFamilyPolicy",
    "spec.loadBalancerClass",
    "spec.loadBalancerIP",
    "spec.loadBalancerSourceRanges",
    "spec.ports[].nodePort",
  ],
  HTTPRoute: serverFields,
  AccessPolicy: serverFields,
  AuditPolicy: serverFields,
  TrafficPolicy: serverFields,
};
