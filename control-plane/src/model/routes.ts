import type { HTTPRoute, ObjectKey, Service, SourceObject } from "@hedgerow/manifest";
import { keyOf, objectOfKind, serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import type { Backend, Route, RouteMatch, ServicePortId } from "./model.ts";
import { compareMatches } from "./route-order.ts";
import { findProblems, neverMatches } from "./route-problems.ts";
import { resolvePort, servicePortId } from "./service-ports.ts";

type Services = ReadonlyMap<ObjectKey, SourceObject<Service>>;
type Rule = HTTPRoute["spec"]["rules"][number];

export interface ResolvedRoutes {
  /** The versions in force, in the order of age. */
  readonly inForce: readonly SourceObject<HTTPRoute>[];
  readonly findings: readonly Finding[];
  /** The versions whose references all resolve, to be remembered. */
  readonly resolved: ReadonlyMap<ObjectKey, SourceObject<HTTPRoute>>;
}

/**
 * Which version of each HTTPRoute is in force: the current one; while its references do not resolve, the last one whose
 * references do. Where none does, the current one, whose unresolved backends then answer 500 for their share.
 */
export function resolveRoutes(
  routes: readonly SourceObject<HTTPRoute>[],
  lastResolved: ReadonlyMap<ObjectKey, SourceObject>,
  services: Services,
): ResolvedRoutes {
  const inForce: SourceObject<HTTPRoute>[] = [];
  const findings: Finding[] = [];
  const resolved = new Map<ObjectKey, SourceObject<HTTPRoute>>();
  for (const object of routes) {
    const key = keyOf(object);
    const problems = findProblems(object.manifest, services);
    const last = objectOfKind(lastResolved, "HTTPRoute", key);
    const remembered = problems.length === 0 ? object : last;
    if (remembered !== undefined) resolved.set(key, remembered);
    const held = problems.length > 0 && last !== undefined && findProblems(last.manifest, services).length === 0;
    inForce.push(held ? last : object);
    const consequence = held ? "; the last version that resolved stays in force" : "";
    findings.push(...problems.map((problem) => ({ ...problem, message: problem.message + consequence })));
  }
  return { inForce, findings, resolved };
}

/** The rules of every Service port that is a parent, in order of precedence. */
export function attachRoutes(
  inForce: readonly SourceObject<HTTPRoute>[],
  services: Services,
): ReadonlyMap<ServicePortId, { readonly routes: readonly Route[]; readonly objects: readonly HTTPRoute[] }> {
  const attached = new Map<ServicePortId, { routes: Route[]; objects: HTTPRoute[] }>();
  for (const { manifest } of inForce) {
    const routes = manifest.spec.rules.flatMap((rule) => translateRule(rule, manifest.metadata.namespace, services));
    for (const id of parentsOf(manifest, services)) {
      const entry = attached.get(id) ?? { routes: [], objects: [] };
      entry.routes.push(...routes);
      entry.objects.push(manifest);
      attached.set(id, entry);
    }
  }
  // The sort is stable: what is equal stays in the order of age, then of the rules within a route.
  for (const entry of attached.values()) entry.routes.sort((a, b) => compareMatches(a.match, b.match));
  return attached;
}

function parentsOf({ metadata: { namespace }, spec }: HTTPRoute, services: Services): ReadonlySet<ServicePortId> {
  const ids = new Set<ServicePortId>();
  for (const parent of spec.parentRefs) {
    const service = services.get(serviceKey(namespace, parent.name));
    if (service === undefined || (parent.namespace ?? namespace) !== namespace) continue;
    for (const { port } of service.manifest.spec.ports)
      if (parent.port === undefined || parent.port === port) ids.add(servicePortId(namespace, parent.name, port));
  }
  return ids;
}

function translateRule(rule: Rule, namespace: string, services: Services): readonly Route[] {
  const backends = rule.backendRefs.map((ref): Backend => {
    const service =
      ref.namespace === undefined || ref.namespace === namespace
        ? services.get(serviceKey(namespace, ref.name))
        : undefined;
    const resolution = service === undefined ? undefined : resolvePort(service.manifest, ref.port);
    const id = resolution?.ok ? servicePortId(namespace, ref.name, resolution.port) : undefined;
    return { service: id, weight: ref.weight };
  });
  const matches =
    rule.matches.length === 0 ? [{ headers: [] }] : rule.matches.filter(({ path }) => !neverMatches(path));
  return matches.map((match) => ({ match: translateMatch(match), backends }));
}

function translateMatch({ path, headers, method }: Partial<Rule["matches"][number]>): RouteMatch {
  const byName = new Map<string, RouteMatch["headers"][number]>();
  for (const { type, name, value } of headers ?? []) {
    const lower = name.toLowerCase();
    // Of two conditions on one header only the first counts (Gateway API, HTTPHeaderMatch).
    if (!byName.has(lower)) byName.set(lower, { type, name: lower, value });
  }
  return { path: path ?? { type: "PathPrefix", value: "/" }, headers: [...byName.values()], method };
}
