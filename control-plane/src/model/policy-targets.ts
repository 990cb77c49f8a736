import {
  type AccessPolicy,
  type AuditPolicy,
  type ObjectKey,
  objectRef,
  type Service,
  type SourceObject,
  type TrafficPolicy,
} from "@hedgerow/manifest";
import { keyOf, serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";

/** A kind that says of itself what it is about. */
export type Policy = AccessPolicy | AuditPolicy | TrafficPolicy;

/** What a policy is about, by key: SERVICE's own, or Namespace/NAME/NAME. */
export type TargetKey = ObjectKey;

export interface PolicyTargets<P extends Policy> {
  /** The one policy of each target, whether or not the target exists. */
  readonly byTarget: ReadonlyMap<TargetKey, SourceObject<P>>;
  readonly findings: readonly Finding[];
  /** The versions whose targets all exist, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject<P>>;
}

/**
 * Which policy each target has: of two, the older. While a target of a policy does not exist, a target that its last whole
 * version had and this one has not keeps that version: a slip in a name must not leave what was protected without a policy.
 * `policies` stand in the order of age; `lastOf` knows the last whole versions.
 */
export function assignPolicies<P extends Policy>(
  policies: readonly SourceObject<P>[],
  lastOf: (key: ObjectKey) => SourceObject<P> | undefined,
  services: ReadonlyMap<ObjectKey, SourceObject<Service>>,
): PolicyTargets<P> {
  const byTarget = new Map<TargetKey, SourceObject<P>>();
  const findings: Finding[] = [];
  const resolved = new Map<ObjectKey, SourceObject<P>>();
  // A policy's own namespace is there.
  const isThere = (target: TargetKey) => services.has(target) || target.startsWith("Namespace/");
  for (const policy of policies) {
    const key = keyOf(policy);
    const object = objectRef(policy.manifest);
    const targets = targetsOf(policy.manifest);
    const last = lastOf(key);
    const whole = targets.every(isThere);
    const remembered = whole ? policy : last;
    if (remembered !== undefined) resolved.set(key, remembered);
    const dropped =
      whole || last === undefined ? [] : targetsOf(last.manifest).filter((target) => !targets.includes(target));
    for (const [index, target] of targets.entries()) {
      const path = ["spec", "targetRefs", index, "name"];
      const winner = byTarget.get(target);
      if (winner === undefined) byTarget.set(target, policy);
      else if (winner !== policy) {
        const message = `${targetWords(target)} already has the older policy ${winner.manifest.metadata.name}`;
        findings.push({ object, path, condition: "Conflicted", reason: "Conflicted", message });
      }
      if (isThere(target)) continue;
      const consequence = dropped.length === 0 ? "" : "; until it is, what the last version covered keeps that version";
      const message = `${targetWords(target)} not found${consequence}`;
      findings.push({ object, path, condition: "ResolvedRefs", reason: "TargetNotFound", message });
    }
    for (const target of dropped) if (last !== undefined && !byTarget.has(target)) byTarget.set(target, last);
  }
  return { byTarget, findings, resolved };
}

/** By the index of the reference. */
export function targetsOf({ metadata: { namespace }, spec }: Policy): readonly TargetKey[] {
  return spec.targetRefs.map(({ kind, name }) =>
    kind === "Service" ? serviceKey(namespace, name) : namespaceKey(name),
  );
}

export function namespaceKey(name: string): TargetKey {
  return `Namespace/${name}/${name}`;
}

/** As in service models/digits. */
export function targetWords(target: TargetKey): string {
  const [kind = "", namespace, name] = target.split("/");
  return kind === "Namespace" ? `namespace ${name}` : `service ${namespace}/${name}`;
}
