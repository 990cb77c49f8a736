import {
  type AccessPolicy,
  type HTTPRoute,
  type MeshConfig,
  type ObjectKey,
  objectRef,
  type Service,
  type SourceObject,
} from "@hedgerow/manifest";
import { allowAnyone, allowMesh, type CompiledAccess, compileAccess, denyAll } from "@hedgerow/policy";
import type { MtlsMode } from "../cluster/state.ts";
import type { Origin } from "../snapshot/snapshot.ts";
import { compareAge, objectOfKind, serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { assignPolicies } from "./policy-targets.ts";
import { ComputedByKey } from "./reuse.ts";

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
  /** Every version of a route that is written or in force. */
  readonly routes: readonly HTTPRoute[];
  readonly meshConfig: MeshConfig | undefined;
  readonly trustDomain: string;
}

export interface ResolvedAccess {
  /**
   * What governs an inbound port by the Services in front of it: their policies, where any of them may let a caller in; without
   * one, the policies of the Services whose HTTPRoutes lead to them; without one, the mesh's default. A port that no Service
   * is in front of lets nobody in.
   *
   * `permissive`: callers without an identity get in wherever no policy is in force. A port that no Service is in front of is
   * then open whatever the default says: no policy can name it, metrics are scraped there, and to label a namespace must
   * break nobody. The same Services and mode give the same object while what governs is the same.
   */
  of(inFront: readonly ObjectKey[], mtls: MtlsMode): InboundAccess;
  /** Services that policies govern, by themselves or through a route, vanished ones too: what stands in front of ports for good. */
  readonly governed: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  /** Whether a policy names it. */
  isTarget(service: ObjectKey): boolean;
  readonly findings: readonly Finding[];
  /** Policies whose targets exist, and the Services that policies govern, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject>;
}

/** Resolves the policies of one build after another. */
export class AccessTable {
  readonly #access = new ComputedByKey<string, InboundAccess>();

  resolve(input: AccessInput): ResolvedAccess {
    const { policies, services, lastResolved, meshConfig, trustDomain } = input;
    const { byService, findings, resolved } = assignPolicies(policies, lastResolved, services);
    const parents = parentsByBackend(input.routes);
    const governed = governedServices(byService, parents, services, lastResolved);
    this.#access.forgetUnused();
    const policiesOf = (keys: Iterable<ObjectKey>): ReadonlySet<SourceObject<AccessPolicy>> => {
      const found = new Set<SourceObject<AccessPolicy>>();
      for (const key of keys) {
        const policy = byService.get(key);
        if (policy !== undefined) found.add(policy);
      }
      return found;
    };
    return {
      findings,
      governed,
      resolved: new Map<ObjectKey, SourceObject>([...resolved, ...governed]),
      isTarget: (service) => byService.has(service),
      of: (inFront, mtls) => {
        const own = policiesOf(inFront);
        const governing = own.size > 0 ? own : policiesOf(inFront.flatMap((key) => [...(parents.get(key) ?? [])]));
        const inputs = governing.size > 0 ? [trustDomain, ...governing] : [trustDomain, meshConfig];
        return this.#access.of(`${mtls} ${inFront.join()}`, inputs, () => {
          if (inFront.length === 0) return { access: [withoutService(mtls)], accessOrigins: [] };
          return governing.size > 0
            ? governedAccess([...governing], trustDomain)
            : defaultAccess(meshConfig, trustDomain, mtls);
        });
      },
    };
  }
}

function governedAccess(policies: readonly SourceObject<AccessPolicy>[], trustDomain: string): InboundAccess {
  const sorted = policies.map(({ manifest }) => manifest).sort(compareAge);
  return {
    access: sorted.map((policy) => compileAccess(policy, trustDomain)),
    accessOrigins: sorted.map((policy) => ({ object: objectRef(policy), path: ["spec", "allow"] })),
  };
}

/** A governed Service that disappeared stands as it last was, so that losing it opens nothing. */
function governedServices(
  byService: ReadonlyMap<ObjectKey, unknown>,
  parents: ReadonlyMap<ObjectKey, ReadonlySet<ObjectKey>>,
  services: ReadonlyMap<ObjectKey, SourceObject<Service>>,
  lastResolved: ReadonlyMap<ObjectKey, SourceObject>,
): ReadonlyMap<ObjectKey, SourceObject<Service>> {
  const keys = new Set(byService.keys());
  for (const [backend, parentKeys] of parents)
    if ([...parentKeys].some((parent) => byService.has(parent))) keys.add(backend);
  const governed = new Map<ObjectKey, SourceObject<Service>>();
  for (const key of keys) {
    const service = services.get(key) ?? objectOfKind(lastResolved, "Service", key);
    if (service !== undefined) governed.set(key, service);
  }
  return governed;
}

function withoutService(mtls: MtlsMode): CompiledAccess {
  switch (mtls) {
    case "strict":
      return denyAll("no service");
    case "permissive":
      return allowAnyone("no service");
  }
}

function defaultAccess(meshConfig: MeshConfig | undefined, trustDomain: string, mtls: MtlsMode): InboundAccess {
  const setting = meshConfig?.spec.access.default ?? "allow";
  const allow = mtls === "permissive" ? allowAnyone("default allow") : allowMesh("default allow", trustDomain);
  return {
    access: [setting === "allow" ? allow : denyAll("default deny")],
    accessOrigins:
      meshConfig === undefined ? [] : [{ object: objectRef(meshConfig), path: ["spec", "access", "default"] }],
  };
}

// By name alone, whether or not the names resolve: a route that lost its parent must not lose the parent's policy.
function parentsByBackend(routes: readonly HTTPRoute[]): ReadonlyMap<ObjectKey, ReadonlySet<ObjectKey>> {
  const parents = new Map<ObjectKey, Set<ObjectKey>>();
  for (const { metadata, spec } of routes) {
    const parentKeys = spec.parentRefs.map(({ name }) => serviceKey(metadata.namespace, name));
    for (const { backendRefs } of spec.rules)
      for (const { name } of backendRefs) {
        const key = serviceKey(metadata.namespace, name);
        const known = parents.get(key) ?? new Set<ObjectKey>();
        for (const parent of parentKeys) known.add(parent);
        parents.set(key, known);
      }
  }
  return parents;
}
