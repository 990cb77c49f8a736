// The names that the certificate authority attests (ARCHITECTURE.md, "Identity").
import { serviceAccountId } from "@hedgerow/policy";
import type { NodeId } from "../snapshot/snapshot.ts";

/** What an SVID says of a workload. */
export interface WorkloadIdentity {
  readonly nodeId: NodeId;
  readonly serviceAccount: string;
  readonly region: string | undefined;
}

/** Roles of people and systems on the admin service. */
export const ADMIN_ROLES = ["viewer", "operator", "auditor"] as const;
export type AdminRole = (typeof ADMIN_ROLES)[number];

/** Whom a certificate of this trust domain names. */
export type Peer =
  | {
      readonly kind: "workload";
      readonly spiffeId: string;
      readonly nodeId: NodeId;
      readonly region: string | undefined;
    }
  | { readonly kind: "admin"; readonly spiffeId: string; readonly role: AdminRole; readonly name: string }
  | { readonly kind: "control-plane"; readonly spiffeId: string };

const INSTANCE_SUFFIX = ".instance.hedgerow.internal";
const REGION_SUFFIX = ".region.hedgerow.internal";
const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Of a pod or service account: RFC 1123 labels with dots between them. The length is looked at beside it. */
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_NAME = 253;
const isName = (text: string) => text.length <= MAX_NAME && SUBDOMAIN.test(text);

/** A DNS name for callers that verify a server by one; they should verify the SPIFFE id. */
export const CONTROL_PLANE_DNS_NAME = "control-plane.hedgerow.internal";

/** The id of a signing certificate has no path (SPIFFE X509-SVID section 3.2). */
export function trustDomainId(trustDomain: string): string {
  return `spiffe://${trustDomain}`;
}

export function controlPlaneId(trustDomain: string): string {
  return serviceAccountId(trustDomain, "hedgerow-system", "control-plane");
}

export function adminId(trustDomain: string, role: AdminRole, name: string): string {
  return `${trustDomainId(trustDomain)}/admin/${role}/${name}`;
}

export function isAdminName(name: string): boolean {
  return /^[a-z0-9-]{1,63}$/.test(name);
}

/** Namespace and name of a node id, NAMESPACE/NAME; names of pods may hold dots. Undefined when it is none. */
export function splitNodeId(nodeId: NodeId): { readonly namespace: string; readonly name: string } | undefined {
  const [namespace = "", name = "", ...rest] = nodeId.split("/");
  return rest.length === 0 && LABEL.test(namespace) && isName(name) ? { namespace, name } : undefined;
}

export function workloadId(trustDomain: string, { nodeId, serviceAccount }: WorkloadIdentity): string {
  return serviceAccountId(trustDomain, splitNodeId(nodeId)?.namespace ?? "", serviceAccount);
}

/** A Workload that names the control plane's own service account would be taken for the control plane. */
export function isReserved(identity: WorkloadIdentity): boolean {
  return workloadId("", identity) === controlPlaneId("");
}

/** Node id of a replica of the control plane, which has a ledger of its own. Undefined where the name can't be one of a pod. */
export function replicaNodeId(name: string): NodeId | undefined {
  return splitNodeId(`hedgerow-system/${name}`) === undefined ? undefined : `hedgerow-system/${name}`;
}

/** The DNS SANs of a workload: its one instance and, where it has one, its region. */
export function workloadDnsNames({ nodeId, region }: WorkloadIdentity): readonly string[] {
  const { namespace, name } = splitNodeId(nodeId) ?? { namespace: "", name: "" };
  return [`${name}.${namespace}${INSTANCE_SUFFIX}`, ...(region === undefined ? [] : [`${region}${REGION_SUFFIX}`])];
}

/**
 * Whom a certificate names: exactly one URI SAN, in our trust domain (SPIFFE X509-SVID section 2); a workload has exactly
 * one instance, in the namespace of its id. Undefined when any of it does not hold. The signature is the caller's to check.
 */
export function peerFromNames(
  trustDomain: string,
  { uris, dnsNames }: { readonly uris: readonly string[]; readonly dnsNames: readonly string[] },
): Peer | undefined {
  const [spiffeId, ...others] = uris;
  if (spiffeId === undefined || others.length > 0 || !spiffeId.startsWith(`${trustDomainId(trustDomain)}/`)) return;
  if (spiffeId === controlPlaneId(trustDomain)) return { kind: "control-plane", spiffeId };
  const path = spiffeId.slice(trustDomainId(trustDomain).length + 1).split("/");
  const [first, second = "", third = "", fourth = ""] = path;
  if (first === "admin") {
    const role = ADMIN_ROLES.find((known) => known === second);
    return role === undefined || !isAdminName(third) || path.length !== 3
      ? undefined
      : { kind: "admin", spiffeId, role, name: third };
  }
  if (first !== "ns" || third !== "sa" || !LABEL.test(second) || !isName(fourth) || path.length !== 4) return;
  const [instance, ...otherInstances] = dnsNames.filter((name) => name.endsWith(INSTANCE_SUFFIX));
  const [region, ...otherRegions] = dnsNames.filter((name) => name.endsWith(REGION_SUFFIX));
  if (instance === undefined || otherInstances.length > 0 || otherRegions.length > 0) return;
  // The last label is the namespace: it holds no dot, so that what stands before it is the name and nothing else.
  const [, name = "", namespace] = /^(.+)\.([^.]+)$/.exec(instance.slice(0, -INSTANCE_SUFFIX.length)) ?? [];
  if (namespace !== second || !isName(name)) return;
  return {
    kind: "workload",
    spiffeId,
    nodeId: `${namespace}/${name}`,
    region: region?.slice(0, -REGION_SUFFIX.length),
  };
}
