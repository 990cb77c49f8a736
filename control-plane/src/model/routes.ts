import { type HTTPRoute, type ObjectKey, objectRef, type Service, type SourceObject } from "@hedgerow/manifest";
import type { Origin } from "../snapshot/snapshot.ts";
import { keyOf, objectOfKind, serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import type { Backend, Route, RouteMatch, ServicePortId } from "./model.ts";
import { Computed, ComputedByKey } from "./reuse.ts";
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
  /** The rules of every Service port that is a parent, in order of precedence. */
  readonly attached: ReadonlyMap<ServicePortId, AttachedRoutes>;
}

export interface AttachedRoutes {
  readonly routes: readonly Route[];
  readonly origins: readonly Origin[];
}

/** One version of a route against the Services that it names. */
interface ReadRoute {
  readonly object: SourceObject<HTTPRoute>;
  readonly problems: readonly Finding[];
  readonly parents: ReadonlySet<ServicePortId>;
  readonly routes: readonly Route[];
  readonly origin: Origin;
}

/** Resolves the routes of one build after another. What no edit concerns is the same object as before. */
export class RouteTable {
  readonly #read = new ComputedByKey<SourceObject<HTTPRoute>, ReadRoute>();
  readonly #attached = new ComputedByKey<ServicePortId, AttachedRoutes>();
  readonly #resolved = new Computed(this.#resolveAnew.bind(this));

  /**
   * Which version of each HTTPRoute is in force: the current one; while its references do not resolve, the last one whose
   * references do. Where none does, the current one, whose unresolved backends then answer 500 for their share.
   */
  resolve(
    routes: readonly SourceObject<HTTPRoute>[],
    lastResolved: ReadonlyMap<ObjectKey, SourceObject>,
    services: Services,
  ): ResolvedRoutes {
    return this.#resolved.of(routes, lastResolved, services);
  }

  #resolveAnew(
    objects: readonly SourceObject<HTTPRoute>[],
    lastResolved: ReadonlyMap<ObjectKey, SourceObject>,
    services: Services,
  ): ResolvedRoutes {
    const inForce: ReadRoute[] = [];
    const findings: Finding[] = [];
    const resolved = new Map<ObjectKey, SourceObject<HTTPRoute>>();
    for (const object of objects) {
      const key = keyOf(object);
      const current = this.#readRoute(object, services);
      const last = objectOfKind(lastResolved, "HTTPRoute", key);
      const remembered = current.problems.length === 0 ? object : last;
      if (remembered !== undefined) resolved.set(key, remembered);
      const earlier = current.problems.length > 0 && last !== undefined ? this.#readRoute(last, services) : undefined;
      const held = earlier?.problems.length === 0 ? earlier : undefined;
      inForce.push(held ?? current);
      const consequence = held === undefined ? "" : "; the last version that resolved stays in force";
      findings.push(...current.problems.map((problem) => ({ ...problem, message: problem.message + consequence })));
    }
    this.#read.forgetUnused();
    return { inForce: inForce.map(({ object }) => object), findings, resolved, attached: this.#attach(inForce) };
  }

  #readRoute(object: SourceObject<HTTPRoute>, services: Services): ReadRoute {
    const { manifest } = object;
    const { namespace } = manifest.metadata;
    const named = [...manifest.spec.parentRefs, ...manifest.spec.rules.flatMap(({ backendRefs }) => backendRefs)];
    const read = named.map(({ name }) => services.get(serviceKey(namespace, name)));
    return this.#read.of(object, read, () => ({
      object,
      problems: findProblems(manifest, services),
      parents: parentsOf(manifest, services),
      routes: manifest.spec.rules.flatMap((rule) => translateRule(rule, namespace, services)),
      origin: { object: objectRef(manifest), path: ["spec", "rules"] },
    }));
  }

  #attach(inForce: readonly ReadRoute[]): ReadonlyMap<ServicePortId, AttachedRoutes> {
    const byParent = new Map<ServicePortId, ReadRoute[]>();
    for (const route of inForce) {
      for (const id of route.parents) {
        const others = byParent.get(id);
        if (others === undefined) byParent.set(id, [route]);
        else others.push(route);
      }
    }
    const attached = new Map<ServicePortId, AttachedRoutes>();
    for (const [id, parts] of byParent)
      attached.set(
        id,
        this.#attached.of(id, parts, () => ({
          // The sort is stable: what is equal stays in the order of age, then of the rules within a route.
          routes: parts.flatMap(({ routes }) => routes).sort((a, b) => compareMatches(a.match, b.match)),
          origins: parts.map(({ origin }) => origin),
        })),
      );
    this.#attached.forgetUnused();
    return attached;
  }
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
