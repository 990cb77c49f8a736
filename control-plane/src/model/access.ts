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
import { compareAge, nodeIdOf, objectOfKind, serviceKey, type WorkloadsByNamespace } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { assignPolicies } from "./policy-targets.ts";
import { inboundOf, selectedBy } from "./service-ports.ts";

/** Who gets in at one inbound port, and what says so. */
interface InboundAccess {
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
  /** Policies whose targets exist, and the Services that policies govern, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject>;
}

/**
 * What governs an inbound port: the policies of the Services in front of it, where any of them may let a caller in; without
 * one, the policies of the Services whose HTTPRoutes lead to it; without one, the mesh's default. A port that no Service is
 * in front of lets nobody in. A governed Service that disappeared stands as it last was, so that losing it opens nothing.
 */
export function resolveAccess(input: AccessInput): ResolvedAccess {
  const { policies, services, lastResolved, workloadsByNamespace } = input;
  const { byService, findings, resolved } = assignPolicies(policies, lastResolved, services);
  const parents = parentsByBackend(input.routes);
  const inFront: InFront = new Map();
  for (const service of services.values()) addServiceInFront(inFront, service, workloadsByNamespace);

  const governed = new Set(byService.keys());
  for (const [backend, parentKeys] of parents) if (!parentKeys.isDisjointFrom(byService)) governed.add(backend);
  const remembered = new Map<ObjectKey, SourceObject>(resolved);
  for (const key of governed) {
    const service = services.get(key) ?? objectOfKind(lastResolved, "Service", key);
    if (service === undefined) continue;
    remembered.set(key, service);
    if (!services.has(key)) addServiceInFront(inFront, service, workloadsByNamespace);
  }

  const compile = memoized((policy: SourceObject<AccessPolicy>) => compileAccess(policy.manifest, input.trustDomain));
  const fallback = defaultAccess(input.meshConfig, input.trustDomain);
  const policiesOf = (keys: readonly ObjectKey[]) => new Set(keys.flatMap((key) => byService.get(key) ?? []));
  return {
    findings,
    resolved: remembered,
    accessOf(nodeId, port) {
      const front = inFront.get(`${nodeId} ${port}`) ?? [];
      if (front.length === 0) return { access: [denyAll("no service")], accessOrigins: [] };
      const own = policiesOf(front);
      const governing = own.size > 0 ? own : policiesOf(front.flatMap((key) => [...(parents.get(key) ?? [])]));
      if (governing.size === 0) return fallback;
      const sorted = [...governing].toSorted((a, b) => compareAge(a.manifest, b.manifest));
      return {
        access: sorted.map(compile),
        accessOrigins: sorted.map(({ manifest }) => ({ object: objectRef(manifest), path: ["spec", "allow"] })),
      };
    },
  };
}

function memoized<K, V>(compute: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    const value = known.get(key) ?? compute(key);
    known.set(key, value);
    return value;
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

function addServiceInFront(
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
