import { type AuditPolicy, type ObjectKey, objectRef, type Service, type SourceObject } from "@hedgerow/manifest";
import { compareAge, compareText, objectOfKind } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { type GenerationOf, governedServices, governing, type ParentsByBackend } from "./governing.ts";
import type { Inspection } from "./model.ts";
import { assignPolicies, namespaceKey, type TargetKey, targetsOf, targetWords } from "./policy-targets.ts";
import { ComputedByKey } from "./reuse.ts";
import type { RequestLimit, ResolvedTraffic } from "./traffic.ts";

/** Bytes of one request where no TrafficPolicy says: as much as a gRPC server takes by default. */
export const DEFAULT_MAX_REQUEST_BYTES = 4 * 1_048_576;

/** What is asked of an inbound port beside who gets in. */
export interface InboundInspection {
  readonly inspection: Inspection | undefined;
  readonly maxRequestBytes: number | undefined;
}

export interface InspectionInput {
  /** In the order of age. */
  readonly policies: readonly SourceObject<AuditPolicy>[];
  readonly services: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  readonly lastResolved: ReadonlyMap<ObjectKey, SourceObject>;
  readonly parents: ParentsByBackend;
  readonly traffic: ResolvedTraffic;
  readonly generationOf: GenerationOf;
}

export interface ResolvedInspection {
  /**
   * What governs an inbound port: of the Services in front of it the AuditPolicies; without one, those of the Services whose
   * HTTPRoutes lead to them; without one, that of the namespace. Of several the oldest records, and nothing is recorded twice.
   * The same Services give the same object while what governs is the same.
   */
  of(inFront: readonly ObjectKey[], namespace: string): InboundInspection;
  /** Services that AuditPolicies govern, vanished ones too: what they led to is recorded for good. */
  readonly governed: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  /** Once `of` has been asked for every port: which policies lost one to an older. */
  findings(): readonly Finding[];
  /** Policies whose targets exist, and the Services that policies govern, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject>;
}

type Policies = ReadonlyMap<SourceObject<AuditPolicy>, TargetKey>;

const NOTHING: InboundInspection = { inspection: undefined, maxRequestBytes: undefined };

/** Resolves the AuditPolicies of one build after another. */
export class InspectionTable {
  readonly #inspections = new ComputedByKey<string, InboundInspection>();

  resolve(input: InspectionInput): ResolvedInspection {
    const { policies, services, lastResolved, parents, traffic, generationOf } = input;
    const lastOf = (key: ObjectKey) => objectOfKind(lastResolved, "AuditPolicy", key);
    const { byTarget, findings, resolved } = assignPolicies(policies, lastOf, services);
    const governed = governedServices(byTarget, parents, services, lastResolved);
    const conflicts = new Conflicts();
    this.#inspections.forgetUnused();
    return {
      governed,
      resolved: new Map<ObjectKey, SourceObject>([...resolved, ...governed]),
      findings: () => [...findings, ...conflicts.findings(policies)],
      of: (inFront, namespace) => {
        const limit = traffic.ofPort(inFront);
        const policy = byTarget.size === 0 ? undefined : oldest(governing(inFront, byTarget, parents), conflicts);
        const winner = policy ?? byTarget.get(namespaceKey(namespace));
        if (winner === undefined && limit === undefined) return NOTHING;
        const generation = winner && generationOf(winner);
        return this.#inspections.of(`${namespace} ${inFront.join()}`, [winner, generation, limit], () => ({
          inspection: winner && inspectionOf(winner.manifest, generation, inFront, limit),
          maxRequestBytes: limit?.maxRequestBytes,
        }));
      },
    };
  }
}

function oldest(policies: Policies, conflicts: Conflicts): SourceObject<AuditPolicy> | undefined {
  const [winner, ...others] = [...policies.keys()].sort((a, b) => compareAge(a.manifest, b.manifest));
  if (winner !== undefined)
    for (const loser of others) conflicts.add(loser, policies.get(loser) ?? namespaceKey(""), winner);
  return winner;
}

function inspectionOf(
  policy: AuditPolicy,
  generation: number | undefined,
  inFront: readonly ObjectKey[],
  limit: RequestLimit | undefined,
): Inspection {
  const { namespace, name } = policy.metadata;
  return {
    policy,
    ledger: `${namespace}/${name}`,
    generation,
    failMode: policy.spec.failMode,
    maxRequestBytes: limit?.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES,
    services: inFront.map((key) => key.slice("Service/".length)).sort(compareText),
    origins: [{ object: objectRef(policy), path: ["spec"] }, ...(limit?.origins ?? [])],
  };
}

/** Policies that lost a port of a target to an older policy of another target. */
class Conflicts {
  readonly #lost = new Map<SourceObject<AuditPolicy>, Map<TargetKey, SourceObject<AuditPolicy>>>();

  add(loser: SourceObject<AuditPolicy>, target: TargetKey, winner: SourceObject<AuditPolicy>): void {
    const lost = this.#lost.get(loser) ?? new Map<TargetKey, SourceObject<AuditPolicy>>();
    this.#lost.set(loser, lost);
    const known = lost.get(target);
    if (known === undefined || compareAge(winner.manifest, known.manifest) < 0) lost.set(target, winner);
  }

  /** Of an earlier version, which stands for a target that is misspelt now, that has been said. */
  findings(policies: readonly SourceObject<AuditPolicy>[]): readonly Finding[] {
    return policies.flatMap((policy) =>
      targetsOf(policy.manifest).flatMap((target, index): readonly Finding[] => {
        const winner = this.#lost.get(policy)?.get(target);
        if (winner === undefined) return [];
        const message = `${targetWords(target)} leads to ports that the older policy ${winner.manifest.metadata.name} records`;
        const path = ["spec", "targetRefs", index, "name"];
        return [{ object: objectRef(policy.manifest), path, condition: "Conflicted", reason: "Conflicted", message }];
      }),
    );
  }
}

/** Services that are gone, and stand in front of ports only so that those stay recorded. */
export function onlyRecorded(
  { governed }: Pick<ResolvedInspection, "governed">,
  isThere: (service: ObjectKey) => boolean,
): ReadonlySet<ObjectKey> {
  return new Set([...governed.keys()].filter((key) => !isThere(key)));
}
