import { type ObjectKey, objectRef, type Service, type SourceObject, type TrafficPolicy } from "@hedgerow/manifest";
import type { Origin } from "../snapshot/snapshot.ts";
import { objectOfKind } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { governing, type ParentsByBackend } from "./governing.ts";
import { assignPolicies } from "./policy-targets.ts";
import { ComputedByKey } from "./reuse.ts";

/** How large one request may be, and what says so. */
export interface RequestLimit {
  readonly maxRequestBytes: number;
  readonly origins: readonly Origin[];
}

export interface TrafficInput {
  /** In the order of age. */
  readonly policies: readonly SourceObject<TrafficPolicy>[];
  readonly services: ReadonlyMap<ObjectKey, SourceObject<Service>>;
  readonly lastResolved: ReadonlyMap<ObjectKey, SourceObject>;
  readonly parents: ParentsByBackend;
}

export interface ResolvedTraffic {
  /** Of a Service, as callers meet it. Undefined: no policy says. The same object while its policy is. */
  ofService(service: ObjectKey): RequestLimit | undefined;
  /** Of an inbound port, by the Services in front of it, as access goes; where they differ the least. */
  ofPort(inFront: readonly ObjectKey[]): RequestLimit | undefined;
  readonly findings: readonly Finding[];
  /** Policies whose targets exist, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject>;
}

/** Resolves the TrafficPolicies of one build after another. */
export class TrafficTable {
  readonly #limits = new ComputedByKey<SourceObject<TrafficPolicy>, RequestLimit | undefined>();

  resolve({ policies, services, lastResolved, parents }: TrafficInput): ResolvedTraffic {
    const lastOf = (key: ObjectKey) => objectOfKind(lastResolved, "TrafficPolicy", key);
    const { byTarget, findings, resolved } = assignPolicies(policies, lastOf, services);
    this.#limits.forgetUnused();
    const limitOf = (policy: SourceObject<TrafficPolicy>) => this.#limits.of(policy, [], () => limit(policy.manifest));
    return {
      findings,
      resolved,
      ofService: (service) => {
        const policy = byTarget.get(service);
        return policy && limitOf(policy);
      },
      ofPort: (inFront) => {
        if (byTarget.size === 0) return undefined;
        const limits = [...governing(inFront, byTarget, parents).keys()].flatMap((policy) => limitOf(policy) ?? []);
        return limits.toSorted((a, b) => a.maxRequestBytes - b.maxRequestBytes)[0];
      },
    };
  }
}

function limit(policy: TrafficPolicy): RequestLimit | undefined {
  const { maxRequestBytes } = policy.spec;
  return maxRequestBytes === undefined
    ? undefined
    : { maxRequestBytes, origins: [{ object: objectRef(policy), path: ["spec", "maxRequestBytes"] }] };
}
