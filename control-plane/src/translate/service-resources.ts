// What one service port is to its callers: the same for all of them, so it is translated once.
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL, LISTENER_TYPE_URL, ROUTE_TYPE_URL } from "@hedgerow/proto";
import { ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import type { ServicePort, ServicePortId, Upstream } from "../model/model.ts";
import type { ResourceEncoder } from "../snapshot/encode.ts";
import type { Resource } from "../snapshot/snapshot.ts";
import { directCluster, outboundCluster } from "./cluster-outbound.ts";
import { loadAssignment } from "./endpoint.ts";
import { outboundListener } from "./listener-outbound.ts";
import { type VirtualListener, virtualListeners } from "./listener-virtual.ts";
import { backendsOf, directRoute, outboundRoute } from "./route-outbound.ts";

/** A virtual listener, as a resource when it is asked for. */
export interface VirtualListenerResource extends Omit<VirtualListener, "listener"> {
  readonly resource: (addresses: readonly string[]) => Resource;
}

/** Made part by part when first asked for, and then kept. */
export class ServiceResources {
  readonly service: ServicePort;
  /** The service ports that its route may lead to. */
  readonly backends: ReadonlySet<ServicePortId>;
  readonly #trustDomain: string;
  readonly #encoder: ResourceEncoder;
  readonly #outbound = new Map<number, Resource>();
  #route: Resource | undefined;
  #direct: { readonly route: Resource; readonly cluster: Resource } | undefined;
  #endpoints: readonly [cluster: Resource, assignment: Resource] | undefined;
  #listeners: readonly VirtualListenerResource[] | undefined;

  constructor(trustDomain: string, service: ServicePort, encoder: ResourceEncoder) {
    this.#trustDomain = trustDomain;
    this.service = service;
    this.backends = backendsOf(service);
    this.#encoder = encoder;
  }

  get route(): Resource {
    this.#route ??= this.#encodeRoute(outboundRoute(this.service));
    return this.#route;
  }

  get direct(): { readonly route: Resource; readonly cluster: Resource } {
    this.#direct ??= {
      route: this.#encodeRoute(directRoute(this.service)),
      cluster: this.#encodeCluster(directCluster(this.#trustDomain, this.service)),
    };
    return this.#direct;
  }

  get endpoints(): readonly [cluster: Resource, assignment: Resource] {
    if (this.#endpoints !== undefined) return this.#endpoints;
    const { origin, endpoints } = this.service;
    const message = loadAssignment(this.service);
    const assignment = this.#encoder.encode({
      typeUrl: ENDPOINT_TYPE_URL,
      name: message.clusterName,
      schema: ClusterLoadAssignmentSchema,
      message,
      origins: [origin, ...endpoints.map((endpoint) => endpoint.origin)],
    });
    this.#endpoints = [this.#encodeCluster(outboundCluster(this.#trustDomain, this.service)), assignment];
    return this.#endpoints;
  }

  /** Where captured callers meet it; none for a service that has no address of its own. */
  get listeners(): readonly VirtualListenerResource[] {
    this.#listeners ??= this.#virtualListeners();
    return this.#listeners;
  }

  /** Where a Workload's application meets it. Its origin is that Workload's manifest. */
  outboundListener({ service, localPort, origin }: Upstream): Resource {
    let resource = this.#outbound.get(localPort);
    if (resource === undefined) {
      resource = this.#encodeListener(outboundListener(service, localPort));
      this.#outbound.set(localPort, resource);
    }
    return this.#encoder.withOrigins(resource, [origin]);
  }

  #virtualListeners(): readonly VirtualListenerResource[] {
    const { virtual } = this.service;
    if (virtual === undefined) return [];
    return virtualListeners({ ...this.service, virtual }).map(({ listener, ...where }) => {
      const made = new Map<string, Resource>();
      const resource = (addresses: readonly string[]): Resource => {
        const key = addresses.join();
        const known = made.get(key) ?? this.#encodeListener(listener(addresses));
        made.set(key, known);
        return known;
      };
      return { ...where, resource };
    });
  }

  #encodeListener(message: ReturnType<typeof outboundListener>): Resource {
    return this.#encoder.encode({
      typeUrl: LISTENER_TYPE_URL,
      name: message.name,
      schema: ListenerSchema,
      message,
      origins: [this.service.origin],
    });
  }

  #encodeRoute(message: ReturnType<typeof outboundRoute>): Resource {
    const { routeOrigins, trafficOrigins, origin } = this.service;
    return this.#encoder.encode({
      typeUrl: ROUTE_TYPE_URL,
      name: message.name,
      schema: RouteConfigurationSchema,
      message,
      origins: [...routeOrigins, ...trafficOrigins, origin],
    });
  }

  #encodeCluster(message: ReturnType<typeof outboundCluster>): Resource {
    const { origin, identityOrigins } = this.service;
    return this.#encoder.encode({
      typeUrl: CLUSTER_TYPE_URL,
      name: message.name,
      schema: ClusterSchema,
      message,
      origins: [origin, ...identityOrigins],
    });
  }
}
