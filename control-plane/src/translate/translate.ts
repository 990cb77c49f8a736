import {
  type AdsTypeUrl,
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
  WORKLOAD_CONFIG_TYPE_URL,
} from "@hedgerow/proto";
import { ClusterSchema } from "@hedgerow/proto/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@hedgerow/proto/envoy/config/endpoint/v3/endpoint";
import { ListenerSchema } from "@hedgerow/proto/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@hedgerow/proto/envoy/config/route/v3/route";
import { WorkloadConfigSchema } from "@hedgerow/proto/hedgerow/agent/v1/config";
import type { InboundPort, MeshWorkload, Model, ServicePort, ServicePortId } from "../model/model.ts";
import { ResourceEncoder } from "../snapshot/encode.ts";
import type { NodeId, Origin, ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { inboundCluster } from "./cluster-inbound.ts";
import { outboundCluster } from "./cluster-outbound.ts";
import { loadAssignment } from "./endpoint.ts";
import { inboundListener } from "./listener-inbound.ts";
import { outboundListener } from "./listener-outbound.ts";
import { inboundRoute } from "./route-inbound.ts";
import { backendsOf, outboundRoute } from "./route-outbound.ts";
import { workloadConfig } from "./workload-config.ts";

/** Everything that every proxy is to run. Depends on nothing but the model. */
export function translate(model: Model): ReadonlyMap<NodeId, ProxySnapshot> {
  const encoder = new ResourceEncoder();
  const shared = new SharedResources(model, encoder);
  return new Map(
    [...model.workloads.values()].map((workload) => [
      workload.nodeId,
      translateWorkload(model, workload, encoder, shared),
    ]),
  );
}

function translateWorkload(
  { trustDomain, services }: Model,
  workload: MeshWorkload,
  encoder: ResourceEncoder,
  shared: SharedResources,
): ProxySnapshot {
  const resources = new Map<AdsTypeUrl, Map<string, Resource>>([
    [CLUSTER_TYPE_URL, new Map()],
    [ENDPOINT_TYPE_URL, new Map()],
    [LISTENER_TYPE_URL, new Map()],
    [ROUTE_TYPE_URL, new Map()],
    [WORKLOAD_CONFIG_TYPE_URL, new Map()],
  ]);
  const add = (resource: Resource) => resources.get(resource.typeUrl)?.set(resource.name, resource);
  for (const inbound of workload.inbound) {
    for (const resource of translateInbound(trustDomain, workload, inbound, encoder)) add(resource);
  }
  for (const { service: id, localPort, origin } of workload.upstreams) {
    const service = services.get(id);
    if (service === undefined) throw new Error(`the model has no service port ${id}`);
    add(shared.listener(id, localPort, origin));
    for (const resource of shared.reach(service)) add(resource);
  }
  add(
    encoder.encode({
      typeUrl: WORKLOAD_CONFIG_TYPE_URL,
      name: workload.nodeId,
      schema: WorkloadConfigSchema,
      message: workloadConfig(workload),
      origins: [{ object: workload.object, path: ["spec"] }],
    }),
  );
  return { nodeId: workload.nodeId, resources };
}

function translateInbound(
  trustDomain: string,
  workload: MeshWorkload,
  inbound: InboundPort,
  encoder: ResourceEncoder,
): readonly Resource[] {
  const cluster = inboundCluster(inbound);
  const listener = inboundListener(trustDomain, workload, inbound);
  const route = inboundRoute(workload.nodeId, inbound);
  return [
    encoder.encode({
      typeUrl: CLUSTER_TYPE_URL,
      name: cluster.name,
      schema: ClusterSchema,
      message: cluster,
      origins: [inbound.origin],
    }),
    encoder.encode({
      typeUrl: LISTENER_TYPE_URL,
      name: listener.name,
      schema: ListenerSchema,
      message: listener,
      origins: [inbound.origin],
    }),
    encoder.encode({
      typeUrl: ROUTE_TYPE_URL,
      name: route.name,
      schema: RouteConfigurationSchema,
      message: route,
      origins: [...inbound.accessOrigins, inbound.origin],
    }),
  ];
}

/** What is the same for every caller of a service is translated once, however many call it. */
class SharedResources {
  readonly #trustDomain: string;
  readonly #services: Model["services"];
  readonly #encoder: ResourceEncoder;
  readonly #reach = new Map<ServicePortId, readonly Resource[]>();
  readonly #backends = new Map<ServicePortId, readonly Resource[]>();
  readonly #listeners = new Map<string, Omit<Resource, "origins">>();

  constructor({ trustDomain, services }: Model, encoder: ResourceEncoder) {
    this.#trustDomain = trustDomain;
    this.#services = services;
    this.#encoder = encoder;
  }

  /** The route of a service, and the cluster and endpoints of each of its backends. */
  reach(service: ServicePort): readonly Resource[] {
    const known = this.#reach.get(service.id);
    if (known !== undefined) return known;
    const route = outboundRoute(service);
    const resources = [
      this.#encoder.encode({
        typeUrl: ROUTE_TYPE_URL,
        name: route.name,
        schema: RouteConfigurationSchema,
        message: route,
        origins: [...service.routeOrigins, service.origin],
      }),
      ...[...backendsOf(service)].flatMap((id) => this.#backend(id)),
    ];
    this.#reach.set(service.id, resources);
    return resources;
  }

  listener(service: ServicePortId, localPort: number, origin: Origin): Resource {
    const key = `${service} ${localPort}`;
    let listener = this.#listeners.get(key);
    if (listener === undefined) {
      const message = outboundListener(service, localPort);
      const { name } = message;
      listener = this.#encoder.encode({
        typeUrl: LISTENER_TYPE_URL,
        name,
        schema: ListenerSchema,
        message,
        origins: [],
      });
      this.#listeners.set(key, listener);
    }
    return { ...listener, origins: [origin] };
  }

  #backend(id: ServicePortId): readonly Resource[] {
    const known = this.#backends.get(id);
    if (known !== undefined) return known;
    const service = this.#services.get(id);
    if (service === undefined) throw new Error(`the model has no service port ${id}`);
    const cluster = outboundCluster(this.#trustDomain, service);
    const assignment = loadAssignment(service);
    const resources = [
      this.#encoder.encode({
        typeUrl: CLUSTER_TYPE_URL,
        name: cluster.name,
        schema: ClusterSchema,
        message: cluster,
        origins: [service.origin, ...service.identityOrigins],
      }),
      this.#encoder.encode({
        typeUrl: ENDPOINT_TYPE_URL,
        name: assignment.clusterName,
        schema: ClusterLoadAssignmentSchema,
        message: assignment,
        origins: [service.origin, ...service.endpoints.map(({ origin }) => origin)],
      }),
    ];
    this.#backends.set(id, resources);
    return resources;
  }
}
