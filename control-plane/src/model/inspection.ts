import { type AuditPolicy, type ObjectKey, objectRef, type Service, type SourceObject } from "@hedgerow/manifest";
import type { Origin } from "../snapshot/snapshot.ts";
import { compareAge, compareText, keyOf, objectOfKind } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { type GenerationOf, governedServices, governing, type ParentsByBackend } from "./governing.ts";
import type { InboundPort, Inspection } from "./model.ts";
import { assignPolicies, namespaceKey, type TargetKey, targetsOf, targetWords } from "./policy-targets.ts";
import { ComputedByKey } from "./reuse.ts";
import type { RequestLimit, ResolvedTraffic } from "./traffic.ts";

/** Bytes of one request where no TrafficPolicy says: as much as a gRPC server takes by default. */
const DEFAULT_MAX_REQUEST_BYTES = 4 * 1_048_576;

/** What is asked of an inbound port beside who gets in. */
export interface InboundInspection {
  readonly inspection: Inspection | undefined;
  readonly maxRequestBytes: number | undefined;
  readonly trafficOrigins: readonly Origin[];
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
  of(inFront: readonly ObjectKey[], namespace: string, port: Pick<InboundPort, "port" | "protocol">): InboundInspection;
  /** Services that AuditPolicies govern, vanished ones too: what they led to is recorded for good. */
  readonly governed: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  /** Once `of` has been asked for every port: which policies lost one to an older, or name what carries no HTTP. */
  findings(): readonly Finding[];
  /** Policies whose targets exist, and the Services that policies govern, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject>;
}

type Policies = ReadonlyMap<SourceObject<AuditPolicy>, TargetKey>;

const NOTHING: InboundInspection = { inspection: undefined, maxRequestBytes: undefined, trafficOrigins: [] };

/** Resolves the AuditPolicies of one build after another. */
export class InspectionTable {
  readonly #inspections = new ComputedByKey<string, InboundInspection>();

  resolve(input: InspectionInput): ResolvedInspection {
    const { policies, services, lastResolved, parents, traffic, generationOf } = input;
    const lastOf = (key: ObjectKey) => objectOfKind(lastResolved, "AuditPolicy", key);
    const { byTarget, findings, resolved } = assignPolicies(policies, lastOf, services);
    const governed = governedServices(byTarget, parents, services, lastResolved);
    const said = new Said();
    this.#inspections.forgetUnused();
    return {
      governed,
      resolved: new Map<ObjectKey, SourceObject>([...resolved, ...governed]),
      findings: () => [...findings, ...said.findings(policies)],
      of: (inFront, namespace, port) => {
        const limit = traffic.ofPort(inFront);
        const own = byTarget.size === 0 ? undefined : oldest(governing(inFront, byTarget, parents), port, said);
        const winner = own ?? byTarget.get(namespaceKey(namespace));
        if (winner === undefined && limit === undefined) return NOTHING;
        const generation = winner && generationOf(winner);
        return this.#inspections.of(`${namespace} ${inFront.join()}`, [winner, generation, limit], () => ({
          inspection: winner && inspectionOf(winner.manifest, generation, inFront, limit),
          maxRequestBytes: limit?.maxRequestBytes,
          trafficOrigins: limit?.origins ?? [],
        }));
      },
    };
  }
}

function oldest(
  policies: Policies,
  port: Pick<InboundPort, "port" | "protocol">,
  said: Said,
): SourceObject<AuditPolicy> | undefined {
  const [winner, ...others] = [...policies].sort(([a], [b]) => compareAge(a.manifest, b.manifest));
  if (winner === undefined) return undefined;
  for (const [loser, target] of others) said.lost(loser, target, winner[0]);
  // Of a namespace nobody expects that a database's words are recorded; of a Service that is named somebody may.
  if (port.protocol === "tcp") said.unread(...winner, port.port);
  return winner[0];
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

/** What is to be said of policies by their targets. */
class Said {
  readonly #lost = new Map<string, SourceObject<AuditPolicy>>();
  readonly #unread = new Map<string, number>();

  /** A port that the target leads to has an older policy, by another target. */
  lost(loser: SourceObject<AuditPolicy>, target: TargetKey, winner: SourceObject<AuditPolicy>): void {
    const key = saidOf(loser, target);
    const known = this.#lost.get(key);
    if (known === undefined || compareAge(winner.manifest, known.manifest) < 0) this.#lost.set(key, winner);
  }

  /** A port that the target leads to carries bytes. */
  unread(policy: SourceObject<AuditPolicy>, target: TargetKey, port: number): void {
    const key = saidOf(policy, target);
    this.#unread.set(key, Math.min(port, this.#unread.get(key) ?? port));
  }

  /** Of a target that only an earlier version has, it has been said that the new one is not there. */
  findings(policies: readonly SourceObject<AuditPolicy>[]): readonly Finding[] {
    return policies.flatMap((policy) =>
      targetsOf(policy.manifest).flatMap((target, index): readonly Finding[] => {
        const at = { object: objectRef(policy.manifest), path: ["spec", "targetRefs", index, "name"] };
        const name = targetWords(target);
        const winner = this.#lost.get(saidOf(policy, target))?.manifest.metadata.name;
        const port = this.#unread.get(saidOf(policy, target));
        return [
          ...say(winner, (older) => ({
            ...at,
            condition: "Conflicted",
            reason: "Conflicted",
            message: `${name} leads to ports that the older policy ${older} records`,
          })),
          ...say(port, (number) => ({
            ...at,
            condition: "Accepted",
            reason: "UnsupportedProtocol",
            message: `${name} leads to port ${number}, which carries no HTTP: nothing of that is recorded`,
          })),
        ];
      }),
    );
  }
}

function saidOf(policy: SourceObject<AuditPolicy>, target: TargetKey): string {
  return `${keyOf(policy)} ${target}`;
}

function say<T>(value: T | undefined, finding: (value: T) => Finding): readonly Finding[] {
  return value === undefined ? [] : [finding(value)];
}

/** Services that are gone, and stand in front of ports only so that those stay recorded. */
export function onlyRecorded(
  { governed }: Pick<ResolvedInspection, "governed">,
  isThere: (service: ObjectKey) => boolean,
): ReadonlySet<ObjectKey> {
  return new Set([...governed.keys()].filter((key) => !isThere(key)));
}
