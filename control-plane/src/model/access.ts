import {
  type AccessPolicy,
  type MeshConfig,
  type ObjectKey,
  objectRef,
  type Service,
  type SourceObject,
} from "@hedgerow/manifest";
import { allowAnyone, allowMesh, type CompiledAccess, compileAccess, denyAll } from "@hedgerow/policy";
import type { MtlsMode } from "../cluster/state.ts";
import type { Origin } from "../snapshot/snapshot.ts";
import { compareAge, objectOfKind } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { type GenerationOf, governedServices, governing, type ParentsByBackend } from "./governing.ts";
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
  /** Of every version of a route that is written or in force. */
  readonly parents: ParentsByBackend;
  readonly generationOf: GenerationOf;
  /** Services that are gone, and stand in front of ports for what is recorded alone: they let nobody in. */
  readonly onlyRecorded: ReadonlySet<ObjectKey>;
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
    const { policies, services, lastResolved, parents, generationOf, onlyRecorded, meshConfig, trustDomain } = input;
    const lastOf = (key: ObjectKey) => objectOfKind(lastResolved, "AccessPolicy", key);
    const { byTarget, findings, resolved } = assignPolicies(policies, lastOf, services);
    const governed = governedServices(byTarget, parents, services, lastResolved);
    this.#access.forgetUnused();
    return {
      findings,
      governed,
      resolved: new Map<ObjectKey, SourceObject>([...resolved, ...governed]),
      isTarget: (service) => byTarget.has(service),
      of: (all, mtls) => {
        const inFront =
          onlyRecorded.size === 0 ? all : all.filter((key) => !onlyRecorded.has(key) || governed.has(key));
        const policies = [...governing(inFront, byTarget, parents).keys()];
        const inputs =
          policies.length > 0
            ? [trustDomain, ...policies, ...policies.map((policy) => generationOf(policy))]
            : [trustDomain, meshConfig];
        return this.#access.of(`${mtls} ${inFront.join()}`, inputs, () => {
          if (inFront.length === 0) return { access: [withoutService(mtls)], accessOrigins: [] };
          return policies.length > 0
            ? governedAccess(policies, trustDomain, generationOf)
            : defaultAccess(meshConfig, trustDomain, mtls);
        });
      },
    };
  }
}

function governedAccess(
  policies: readonly SourceObject<AccessPolicy>[],
  trustDomain: string,
  generationOf: GenerationOf,
): InboundAccess {
  const sorted = policies.toSorted((a, b) => compareAge(a.manifest, b.manifest));
  return {
    access: sorted.map((policy) => compileAccess(policy.manifest, trustDomain, generationOf(policy))),
    accessOrigins: sorted.map(({ manifest }) => ({ object: objectRef(manifest), path: ["spec", "allow"] })),
  };
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
