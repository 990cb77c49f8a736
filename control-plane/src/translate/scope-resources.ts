// What every captured caller of one scope gets.
import type { OutboundScope, ServicePortId } from "../model/model.ts";
import type { Resource } from "../snapshot/snapshot.ts";
import type { ServiceResources } from "./service-resources.ts";

/** The resources of a service port. Throws where the model has no such port. */
export type ServiceLookup = (id: ServicePortId) => ServiceResources;

/**
 * The listeners of the scope's services and all that those lead to. One address and port has one listener, or Envoy would refuse
 * all of them: where two services want it (headless Services with the same pods), the first by name has it.
 */
export function* scopeResources({ services }: OutboundScope, lookup: ServiceLookup): Iterable<Resource> {
  const taken = new Set<string>();
  for (const id of services) {
    const service = lookup(id);
    for (const { addresses, port, reaches, resource } of service.listeners) {
      const free = addresses.filter((address) => !taken.has(`${address} ${port}`));
      if (free.length === 0) continue;
      for (const address of free) taken.add(`${address} ${port}`);
      yield resource(free);
      for (const reach of reaches) yield* reached(service, reach, lookup);
    }
  }
}

function reached(
  service: ServiceResources,
  reach: ServiceResources["listeners"][number]["reaches"][number],
  lookup: ServiceLookup,
): Iterable<Resource> {
  switch (reach) {
    case "route":
      return routeAndBackends(service, lookup);
    case "cluster":
      return service.endpoints;
    case "direct-route":
      return [service.direct.route, service.direct.cluster];
    case "direct-cluster":
      return [service.direct.cluster];
  }
}

/** The route of a service, and the cluster and endpoints of each of its backends. */
export function* routeAndBackends(service: ServiceResources, lookup: ServiceLookup): Iterable<Resource> {
  yield service.route;
  for (const id of service.backends) yield* lookup(id).endpoints;
}
