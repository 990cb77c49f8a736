import { type HTTPRoute, type ObjectKey, objectRef, type Service, type SourceObject } from "@hedgerow/manifest";
import { serviceKey } from "./catalog.ts";
import type { Finding } from "./finding.ts";
import { portMessage, resolvePort } from "./service-ports.ts";

type Services = ReadonlyMap<ObjectKey, SourceObject<Service>>;
type PathMatch = HTTPRoute["spec"]["rules"][number]["matches"][number]["path"];

/** A path that no request has; Envoy refuses the whole RouteConfiguration over such a prefix. */
export function neverMatches(path: PathMatch): boolean {
  return path !== undefined && path.type !== "RegularExpression" && /[?#]/.test(path.value);
}

/** Everything in a route that does not resolve; empty when it may come into force. */
export function findProblems(route: HTTPRoute, services: Services): readonly Finding[] {
  const object = objectRef(route);
  const { namespace } = route.metadata;
  const findings: Finding[] = [];
  for (const [index, parent] of route.spec.parentRefs.entries()) {
    const at = ["spec", "parentRefs", index];
    const say = (field: string, reason: string, message: string) =>
      findings.push({ object, path: [...at, field], condition: "Accepted", reason, message });
    const service = services.get(serviceKey(namespace, parent.name));
    if ((parent.namespace ?? namespace) !== namespace)
      say("namespace", "RefNotPermitted", "a route may only attach to services of its own namespace");
    else if (service === undefined) say("name", "NoMatchingParent", `service ${namespace}/${parent.name} not found`);
    else if (parent.port !== undefined && !resolvePort(service.manifest, parent.port).ok)
      say("port", "NoMatchingParent", portMessage("PortNotFound", `${namespace}/${parent.name}`, parent.port));
  }
  for (const [ruleIndex, rule] of route.spec.rules.entries()) {
    for (const [index, { path }] of rule.matches.entries()) {
      if (!neverMatches(path)) continue;
      findings.push({
        object,
        path: ["spec", "rules", ruleIndex, "matches", index, "path", "value"],
        condition: "Accepted",
        reason: "UnsupportedValue",
        message: "a path has no ? or #, so this never matches",
      });
    }
    for (const [index, ref] of rule.backendRefs.entries()) {
      const at = ["spec", "rules", ruleIndex, "backendRefs", index];
      const say = (field: string, reason: string, message: string) =>
        findings.push({ object, path: [...at, field], condition: "ResolvedRefs", reason, message });
      const name = `${ref.namespace ?? namespace}/${ref.name}`;
      const service = services.get(serviceKey(namespace, ref.name));
      if ((ref.namespace ?? namespace) !== namespace)
        say("namespace", "RefNotPermitted", `service ${name} is in another namespace, and no ReferenceGrant is read`);
      else if (service === undefined) say("name", "BackendNotFound", `service ${name} not found`);
      else {
        const resolution = resolvePort(service.manifest, ref.port);
        if (!resolution.ok) say("port", resolution.reason, portMessage(resolution.reason, name, ref.port));
      }
    }
  }
  return findings;
}
