import {
  type AccessPolicy,
  type HTTPRoute,
  type MeshConfig,
  type ObjectKey,
  objectKey,
  objectRef,
  type Service,
  type SourceObject,
} from "@hedgerow/manifest";
import { allowMesh, type CompiledAccess, compileAccess, denyAll } from "@hedgerow/policy";
import type { NodeId, Origin } from "../snapshot/snapshot.ts";
import { nodeIdOf, objectOfKind, serviceKey, type WorkloadsByNamespace } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { inboundOf, selectedBy } from "./service-ports.ts";

/** Who gets in at one inbound port, and what says so. */
export interface InboundAccess {
  readonly access: readonly CompiledAccess[];
  readonly accessOrigins: readonly Origin[];
}

export interface AccessInput {
  /** In the order of age. */
  readonly policies: readonly SourceObject<AccessPolicy>[];
  readonly services: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  readonly lastResolved: ReadonlyMap<ObjectKey, SourceObject>;
  readonly workloadsByNamespace: WorkloadsByNamespace;
  /** Every version of a route that is written or in force. */
  readonly routes: readonly HTTPRoute[];
  readonly meshConfig: MeshConfig | undefined;
  readonly trustDomain: string;
}

export interface ResolvedAccess {
  /** What governs an inbound port of a workload. */
  accessOf(nodeId: NodeId, port: number): InboundAccess;
  readonly findings: readonly Finding[];
  /** The Services that policies target, to be remembered: a policy outlives the loss of its target. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject<Service>>;
}

/**
 * What governs an inbound port: the policies of the Services in front of it, where any of them may let a caller in; without
 * one, the policies of the Services whose HTTPRoutes lead to it; without one, the mesh's default. A port that no Service is
 * in front of lets nobody in. A target that disappeared stands as it last was, so that losing it opens nothing.
 */
export function resolveAccess(input: AccessInput): ResolvedAccess {
  const { policies, services, lastResolved, workloadsByNamespace } = input;
  const winners = new Map<ObjectKey, SourceObject<AccessPolicy>>();
  const findings: Finding[] = [];
  const resolved = new Map<ObjectKey, SourceObject<Service>>();
  const inFront = servicesInFront(services.values(), workloadsByNamespace);
  for (const policy of policies) {
    const object = objectRef(policy.manifest);
    for (const [index, { name }] of policy.manifest.spec.targetRefs.entries()) {
      const path = ["spec", "targetRefs", index, "name"];
      const key = serviceKey(object.namespace, name);
      const winner = winners.get(key);
      if (winner === policy) continue;
      if (winner !== undefined) {
        const message = `service ${object.namespace}/${name} already has the older policy ${winner.manifest.metadata.name}`;
        findings.push({ object, path, condition: "Conflicted", reason: "Conflicted", message });
        continue;
      }
      winners.set(key, policy);
      const target = services.get(key) ?? objectOfKind(lastResolved, "Service", key);
      if (target !== undefined) resolved.set(key, target);
      if (services.has(key)) continue;
      if (target !== undefined) addServicesInFront(inFront, target, workloadsByNamespace);
      const consequence = target === undefined ? "" : "; the policy stays on the workloads that it last selected";
      const message = `service ${object.namespace}/${name} not found${consequence}`;
      findings.push({ object, path, condition: "ResolvedRefs", reason: "TargetNotFound", message });
    }
  }
  const parents = parentsByBackend(input.routes);
  const compiled = new Map<SourceObject<AccessPolicy>, CompiledAccess>();
  for (const policy of new Set(winners.values()))
    compiled.set(policy, compileAccess(policy.manifest, input.trustDomain));
  const fallback = defaultAccess(input.meshConfig, input.trustDomain);

  function governedBy(keys: Iterable<ObjectKey>): readonly SourceObject<AccessPolicy>[] {
    const found = new Set([...keys].flatMap((key) => winners.get(key) ?? []));
    return policies.filter((policy) => found.has(policy));
  }
  return {
    findings,
    resolved,
    accessOf(nodeId, port) {
      const front = inFront.get(`${nodeId} ${port}`) ?? [];
      if (front.length === 0) return { access: [denyAll("no service")], accessOrigins: [] };
      const own = governedBy(front);
      const governing = own.length > 0 ? own : governedBy(front.flatMap((key) => [...(parents.get(key) ?? [])]));
      if (governing.length === 0) return fallback;
      return {
        access: governing.flatMap((policy) => compiled.get(policy) ?? []),
        accessOrigins: governing.map(({ manifest }) => ({ object: objectRef(manifest), path: ["spec", "allow"] })),
      };
    },
  };
}

function defaultAccess(meshConfig: MeshConfig | undefined, trustDomain: string): InboundAccess {
  const setting = meshConfig?.spec.access.default ?? "allow";
  return {
    access: [setting === "allow" ? allowMesh("default allow", trustDomain) : denyAll("default deny")],
    accessOrigins:
      meshConfig === undefined ? [] : [{ object: objectRef(meshConfig), path: ["spec", "access", "default"] }],
  };
}

/** Keys of Services by node id and inbound port. */
type InFront = Map<string, ObjectKey[]>;

function servicesInFront(
  services: Iterable<SourceObject<Service>>,
  workloadsByNamespace: WorkloadsByNamespace,
): InFront {
  const inFront: InFront = new Map();
  for (const service of services) addServicesInFront(inFront, service, workloadsByNamespace);
  return inFront;
}

function addServicesInFront(
  inFront: InFront,
  { manifest }: SourceObject<Service>,
  workloadsByNamespace: WorkloadsByNamespace,
): void {
  for (const workload of selectedBy(manifest, workloadsByNamespace)) {
    const inbound = manifest.spec.ports.flatMap((servicePort) => inboundOf(workload.manifest, servicePort));
    for (const { port } of new Set(inbound)) {
      const id = `${nodeIdOf(workload.manifest)} ${port}`;
      const keys = inFront.get(id) ?? [];
      keys.push(objectKey(objectRef(manifest)));
      inFront.set(id, keys);
    }
  }
}

// By name alone, whether or not the names resolve: a route that lost its parent must not lose the parent's policy.
function parentsByBackend(routes: readonly HTTPRoute[]): ReadonlyMap<ObjectKey, ReadonlySet<ObjectKey>> {
  const parents = new Map<ObjectKey, Set<ObjectKey>>();
  for (const {
    metadata: { namespace },
    spec,
  } of routes) {
    const parentKeys = spec.parentRefs.map(({ name }) => serviceKey(namespace, name));
    for (const { name } of spec.rules.flatMap(({ backendRefs }) => backendRefs)) {
      const key = serviceKey(namespace, name);
      parents.set(key, (parents.get(key) ?? new Set()).union(new Set(parentKeys)));
    }
  }
  return parents;
}
