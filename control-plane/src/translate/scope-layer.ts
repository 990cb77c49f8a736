// What every captured caller of one scope gets.
import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import type { OutboundScope, ServicePortId } from "../model/model.ts";
import type { Resource } from "../snapshot/snapshot.ts";
import { type Layer, layerOf, patched } from "./layer.ts";
import { CLAIMS, type Reach } from "./listener-virtual.ts";
import { directName, outboundName } from "./names.ts";
import type { ServiceResources } from "./service-resources.ts";

/** The resources of a service port; undefined where the model has none. */
export type ServiceLookup = (id: ServicePortId) => ServiceResources | undefined;

export interface ScopeLayer {
  readonly layer: Layer;
  /** Everything that it was made from. */
  readonly services: ReadonlyMap<ServicePortId, ServiceResources>;
}

/**
 * The listeners of the scope's services and all that those lead to; `before` is what came out for the same scope. Endpoints,
 * weights and identities change all the time, and which listeners there are does not: then only what changed is looked at.
 */
export function scopeLayer(scope: OutboundScope, lookup: ServiceLookup, before: ScopeLayer | undefined): ScopeLayer {
  const changes = before === undefined ? undefined : changesSince(before, lookup);
  if (before === undefined || changes === undefined) return makeLayer(scope, lookup, before?.layer);
  if (changes.length === 0) return before;
  const resources: Resource[] = [];
  for (const { old, now } of changes) {
    const replacing = replacements(before.layer, old, now);
    if (replacing === undefined) return makeLayer(scope, lookup, before.layer);
    resources.push(...replacing);
  }
  const services = new Map(before.services);
  for (const { now } of changes) services.set(now.service.id, now);
  return { layer: patched(before.layer, resources), services };
}

interface Change {
  readonly old: ServiceResources;
  readonly now: ServiceResources;
}

/** Undefined: one of them is gone. */
function changesSince({ services }: ScopeLayer, lookup: ServiceLookup): readonly Change[] | undefined {
  const changes: Change[] = [];
  for (const [id, old] of services) {
    const now = lookup(id);
    if (now === undefined) return undefined;
    if (now !== old) changes.push({ old, now });
  }
  return changes;
}

/** What stands in the place of the service's former resources, by name. Undefined where others would come, or go. */
function replacements(layer: Layer, old: ServiceResources, now: ServiceResources): readonly Resource[] | undefined {
  const { id } = now.service;
  if (old.backends.symmetricDifference(now.backends).size > 0 || old.listeners.length !== now.listeners.length)
    return undefined;
  const has = (typeUrl: typeof CLUSTER_TYPE_URL | typeof ROUTE_TYPE_URL, name: string) =>
    layer.get(typeUrl)?.has(name) === true;
  const resources: Resource[] = [
    ...(has(ROUTE_TYPE_URL, outboundName(id)) ? [now.route] : []),
    ...(has(ROUTE_TYPE_URL, directName(id)) ? [now.direct.route] : []),
    ...(has(CLUSTER_TYPE_URL, outboundName(id)) ? now.endpoints : []),
    ...(has(CLUSTER_TYPE_URL, directName(id)) ? [now.direct.cluster] : []),
  ];
  for (const [index, listener] of now.listeners.entries()) {
    const former = old.listeners[index];
    if (former === undefined || !isAlike(former, listener)) return undefined;
    const whole = former.resource(former.addresses);
    const served = layer.get(LISTENER_TYPE_URL)?.get(whole.name);
    // One that another service has the address of stays away; one that has some of its addresses is too rare to think of.
    if (served !== undefined && served !== whole) return undefined;
    if (served !== undefined) resources.push(listener.resource(listener.addresses));
  }
  return resources;
}

type VirtualListener = ServiceResources["listeners"][number];

function isAlike(a: VirtualListener, b: VirtualListener): boolean {
  return a.claim === b.claim && socketsOf(a).join() === socketsOf(b).join() && a.reaches.join() === b.reaches.join();
}

function socketsOf({ addresses, port }: VirtualListener): readonly string[] {
  return addresses.map((address) => `${address} ${port}`);
}

function makeLayer(scope: OutboundScope, lookup: ServiceLookup, before: Layer | undefined): ScopeLayer {
  const services = new Map<ServicePortId, ServiceResources>();
  const find = (id: ServicePortId): ServiceResources => {
    const service = lookup(id);
    if (service === undefined) throw new Error(`the model has no service port ${id}`);
    services.set(id, service);
    return service;
  };
  return { layer: layerOf(scopeResources(scope, find), before), services };
}

/**
 * One address and port has one listener, or Envoy would refuse all of them: where two services want it, the better claim has it,
 * or nobody could keep callers from a Service by writing its address into an EndpointSlice of his own; of equal claims (headless
 * Services with the same pods) the first by name.
 */
function* scopeResources(
  { services }: OutboundScope,
  find: (id: ServicePortId) => ServiceResources,
): Iterable<Resource> {
  const owners = new Map<string, VirtualListener>();
  for (const claim of CLAIMS)
    for (const id of services)
      for (const listener of find(id).listeners)
        for (const socket of listener.claim === claim ? socketsOf(listener) : [])
          if (!owners.has(socket)) owners.set(socket, listener);
  for (const id of services) {
    const service = find(id);
    for (const listener of service.listeners) {
      const { addresses, port, reaches, resource } = listener;
      const own = addresses.filter((address) => owners.get(`${address} ${port}`) === listener);
      if (own.length === 0) continue;
      yield resource(own);
      for (const reach of reaches) yield* reached(service, reach, find);
    }
  }
}

function reached(
  service: ServiceResources,
  reach: Reach,
  find: (id: ServicePortId) => ServiceResources,
): Iterable<Resource> {
  switch (reach) {
    case "route":
      return routeAndBackends(service, find);
    case "cluster":
      return service.endpoints;
    case "direct-route":
      return [service.direct.route, service.direct.cluster];
    case "direct-cluster":
      return [service.direct.cluster];
  }
}

/** The route of a service, and the cluster and endpoints of each of its backends. */
export function* routeAndBackends(
  service: ServiceResources,
  find: (id: ServicePortId) => ServiceResources,
): Iterable<Resource> {
  yield service.route;
  for (const id of service.backends) yield* find(id).endpoints;
}
