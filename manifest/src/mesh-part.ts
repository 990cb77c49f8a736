import { nearestName } from "./field-name.ts";
import { isMapping } from "./field-pattern.ts";
import type { YamlValue } from "./yaml-value.ts";

/**
 * What of an API server's object is the mesh's business: all of it, but of an HTTPRoute only its parents that are Services.
 * Gateways are for their controllers, which know fields that we do not: undefined where a route has no other parents.
 */
export function meshPart(value: YamlValue): YamlValue | undefined {
  if (!isMapping(value) || value["kind"] !== "HTTPRoute") return value;
  const spec = value["spec"];
  const parents = isMapping(spec) ? spec["parentRefs"] : undefined;
  if (!Array.isArray(parents) || parents.length === 0) return value;
  const services = parents.filter((parent: YamlValue) => isMapping(parent) && meansService(parent["kind"]));
  if (services.length === parents.length) return value;
  return services.length === 0 || !isMapping(spec) ? undefined : { ...value, spec: { ...spec, parentRefs: services } };
}

/** A slip in the word must not make a route another's. */
function meansService(kind: YamlValue | undefined): boolean {
  return typeof kind === "string" && nearestName(kind, ["Service"]) !== undefined;
}
