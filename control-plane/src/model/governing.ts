// Which policies govern a port: by the Services in front of it, and by what leads to those.
import type { HTTPRoute, ObjectKey, Service, SourceObject } from "@hedgerow/manifest";
import { keyOf, objectOfKind, serviceKey } from "./catalog.ts";
import type { Policy, TargetKey } from "./policy-targets.ts";

/** By the Service that a route leads to, the Services that the route hangs on. */
export type ParentsByBackend = ReadonlyMap<ObjectKey, ReadonlySet<ObjectKey>>;

/** By name alone, whether or not the names resolve: a route that lost its parent must not lose the parent's policy. */
export function parentsByBackend(routes: readonly HTTPRoute[]): ParentsByBackend {
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

/**
 * The policies of the Services in front of a port; without one, those of the Services whose HTTPRoutes lead to them. Each with
 * the first target by which it governs, in the order of the Services.
 */
export function governing<P extends Policy>(
  inFront: readonly ObjectKey[],
  byTarget: ReadonlyMap<TargetKey, SourceObject<P>>,
  parents: ParentsByBackend,
): ReadonlyMap<SourceObject<P>, TargetKey> {
  const own = policiesOf(inFront, byTarget);
  return own.size > 0
    ? own
    : policiesOf(
        inFront.flatMap((key) => [...(parents.get(key) ?? [])]),
        byTarget,
      );
}

function policiesOf<P extends Policy>(
  targets: readonly TargetKey[],
  byTarget: ReadonlyMap<TargetKey, SourceObject<P>>,
): ReadonlyMap<SourceObject<P>, TargetKey> {
  const found = new Map<SourceObject<P>, TargetKey>();
  for (const target of targets) {
    const policy = byTarget.get(target);
    if (policy !== undefined && !found.has(policy)) found.set(policy, target);
  }
  return found;
}

/**
 * Services that policies govern, by themselves or through a route. One that disappeared stands as it last was, so that losing
 * it opens nothing.
 */
export function governedServices(
  byTarget: ReadonlyMap<TargetKey, unknown>,
  parents: ParentsByBackend,
  services: ReadonlyMap<ObjectKey, SourceObject<Service>>,
  lastResolved: ReadonlyMap<ObjectKey, SourceObject>,
): ReadonlyMap<ObjectKey, SourceObject<Service>> {
  const keys = new Set(byTarget.keys());
  for (const [backend, parentKeys] of parents)
    if ([...parentKeys].some((parent) => byTarget.has(parent))) keys.add(backend);
  const governed = new Map<ObjectKey, SourceObject<Service>>();
  for (const key of keys) {
    const service = services.get(key) ?? objectOfKind(lastResolved, "Service", key);
    if (service !== undefined) governed.set(key, service);
  }
  return governed;
}

/** The generation of a policy that is written now; undefined for an earlier version, which stands for what is misspelt now. */
export type GenerationOf = (policy: SourceObject) => number | undefined;

export function generationsOf(
  written: readonly SourceObject[],
  generations: ReadonlyMap<ObjectKey, number> | undefined,
): GenerationOf {
  const current = new Set(written);
  return (policy) => (current.has(policy) ? generations?.get(keyOf(policy)) : undefined);
}
