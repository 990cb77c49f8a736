import { type AccessPolicy, type ObjectKey, objectRef, type Service, type SourceObject } from "@hedgerow/manifest";
import { keyOf, objectOfKind, serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";

export interface PolicyTargets {
  /** The one policy of each Service that is targeted, whether or not the Service exists. */
  readonly byService: ReadonlyMap<ObjectKey, SourceObject<AccessPolicy>>;
  readonly findings: readonly Finding[];
  /** The versions whose targets all exist, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject<AccessPolicy>>;
}

/**
 * Which policy each Service has: of two, the older. While a target of a policy does not exist, a target that its last whole
 * version had and this one has not keeps that version: a slip in a name must not leave what was protected without a policy.
 */
export function assignPolicies(
  policies: readonly SourceObject<AccessPolicy>[],
  lastResolved: ReadonlyMap<ObjectKey, SourceObject>,
  services: ReadonlyMap<ObjectKey, SourceObject<Service>>,
): PolicyTargets {
  const byService = new Map<ObjectKey, SourceObject<AccessPolicy>>();
  const findings: Finding[] = [];
  const resolved = new Map<ObjectKey, SourceObject<AccessPolicy>>();
  for (const policy of policies) {
    const key = keyOf(policy);
    const object = objectRef(policy.manifest);
    const targets = targetsOf(policy);
    const last = objectOfKind(lastResolved, "AccessPolicy", key);
    const whole = targets.every((target) => services.has(target));
    const remembered = whole ? policy : last;
    if (remembered !== undefined) resolved.set(key, remembered);
    const dropped = whole || last === undefined ? [] : targetsOf(last).filter((target) => !targets.includes(target));
    for (const [index, target] of targets.entries()) {
      const path = ["spec", "targetRefs", index, "name"];
      const name = `service ${target.slice("Service/".length)}`;
      const winner = byService.get(target);
      if (winner === undefined) byService.set(target, policy);
      else if (winner !== policy) {
        const message = `${name} already has the older policy ${winner.manifest.metadata.name}`;
        findings.push({ object, path, condition: "Conflicted", reason: "Conflicted", message });
      }
      if (services.has(target)) continue;
      const consequence = dropped.length === 0 ? "" : "; until it is, what the last version covered keeps that version";
      const message = `${name} not found${consequence}`;
      findings.push({ object, path, condition: "ResolvedRefs", reason: "TargetNotFound", message });
    }
    for (const target of dropped) if (last !== undefined && !byService.has(target)) byService.set(target, last);
  }
  return { byService, findings, resolved };
}

function targetsOf({ manifest: { metadata, spec } }: SourceObject<AccessPolicy>): readonly ObjectKey[] {
  return spec.targetRefs.map(({ name }) => serviceKey(metadata.namespace, name));
}
