import type { MeshWorkload, Model, OutboundScope, ServicePort, ServicePortId } from "../model/model.ts";
import { ResourceEncoder } from "../snapshot/encode.ts";
import { layered } from "../snapshot/layers.ts";
import type { MeshSnapshot, NodeId, ProxySnapshot, Resource } from "../snapshot/snapshot.ts";
import { EMPTY_LAYER, LAYER_TYPES, type Layer, layerOf } from "./layer.ts";
import { routeAndBackends, type ScopeLayer, scopeLayer } from "./scope-layer.ts";
import { ServiceResources } from "./service-resources.ts";
import { WorkloadTranslation } from "./workload-resources.ts";

/**
 * Translates one model after the other and keeps what did not change: parts of a model that are the very same objects as in one
 * before are not looked at again, and what comes out equal is the same object. What comes out depends on the model alone.
 */
export class Translator {
  readonly #encoder = new ResourceEncoder();
  readonly #services = new WeakMap<ServicePort, ServiceResources>();
  readonly #own = new WeakMap<MeshWorkload, readonly Resource[]>();
  // As last made. A snapshot that is asked late may put older ones here, which costs work and nothing else.
  readonly #scopes = new WeakMap<OutboundScope, ScopeLayer>();
  readonly #proxies = new Map<NodeId, Proxy>();
  #trustDomain: string | undefined;
  #workloads: Model["workloads"] | undefined;

  /** Makes each proxy's snapshot when it is first asked for. */
  translate(model: Model): MeshSnapshot {
    this.#trustDomain ??= model.trustDomain;
    if (this.#trustDomain !== model.trustDomain) throw new Error("a translator serves one trust domain");
    if (this.#workloads !== model.workloads) {
      this.#workloads = model.workloads;
      for (const nodeId of this.#proxies.keys()) if (!model.workloads.has(nodeId)) this.#proxies.delete(nodeId);
    }
    return new LazySnapshot(model, (workload, layers) => this.#proxy(model, workload, layers));
  }

  #proxy(model: Model, workload: MeshWorkload, layers: Map<OutboundScope, Layer>): ProxySnapshot {
    const { nodeId, capture } = workload;
    const before = this.#proxies.get(nodeId);
    const own = this.#ownLayer(model, workload, before);
    const shared = capture === undefined ? EMPTY_LAYER : this.#scopeLayer(model, capture.scope, layers);
    if (before?.own === own && before.shared === shared) return before.snapshot;
    const maps = LAYER_TYPES.map((typeUrl) => [typeUrl, layered(mapOf(own, typeUrl), mapOf(shared, typeUrl))] as const);
    const isSame = before !== undefined && maps.every(([type, map]) => before.snapshot.resources.get(type) === map);
    const snapshot = isSame ? before.snapshot : { nodeId, resources: new Map(maps) };
    this.#proxies.set(nodeId, { workload, own, shared, snapshot });
    return snapshot;
  }

  #ownLayer(model: Model, workload: MeshWorkload, before: Proxy | undefined): Layer {
    // What a workload calls by upstreams of its own changes while it does not.
    if (before?.workload === workload && workload.upstreams.length === 0) return before.own;
    return layerOf(this.#ownResources(model, workload), before?.own);
  }

  *#ownResources(model: Model, workload: MeshWorkload): Iterable<Resource> {
    let alone = this.#own.get(workload);
    if (alone === undefined) {
      alone = [...new WorkloadTranslation(model.trustDomain, workload, this.#encoder).resources()];
      this.#own.set(workload, alone);
    }
    yield* alone;
    const find = (id: ServicePortId): ServiceResources => {
      const service = this.#service(model, id);
      if (service === undefined) throw new Error(`the model has no service port ${id}`);
      return service;
    };
    for (const upstream of workload.upstreams) {
      const service = find(upstream.service);
      yield service.outboundListener(upstream);
      yield* routeAndBackends(service, find);
    }
  }

  #scopeLayer(model: Model, scope: OutboundScope, layers: Map<OutboundScope, Layer>): Layer {
    const known = layers.get(scope);
    if (known !== undefined) return known;
    const made = scopeLayer(scope, (id) => this.#service(model, id), this.#scopes.get(scope));
    layers.set(scope, made.layer);
    this.#scopes.set(scope, made);
    return made.layer;
  }

  #service({ services, trustDomain }: Model, id: ServicePortId): ServiceResources | undefined {
    const service = services.get(id);
    if (service === undefined) return undefined;
    let resources = this.#services.get(service);
    if (resources === undefined) {
      resources = new ServiceResources(trustDomain, service, this.#encoder);
      this.#services.set(service, resources);
    }
    return resources;
  }
}

/** What a node's snapshot was made from. */
interface Proxy {
  readonly workload: MeshWorkload;
  readonly own: Layer;
  readonly shared: Layer;
  readonly snapshot: ProxySnapshot;
}

function mapOf(layer: Layer, typeUrl: (typeof LAYER_TYPES)[number]): ReadonlyMap<string, Resource> {
  return layer.get(typeUrl) ?? NONE;
}

const NONE: ReadonlyMap<string, Resource> = new Map();

type MakeProxy = (workload: MeshWorkload, layers: Map<OutboundScope, Layer>) => ProxySnapshot;

class LazySnapshot implements MeshSnapshot {
  readonly #workloads: Model["workloads"];
  readonly #make: MakeProxy;
  readonly #layers = new Map<OutboundScope, Layer>();
  readonly #made = new Map<NodeId, ProxySnapshot>();

  constructor({ workloads }: Model, make: MakeProxy) {
    this.#workloads = workloads;
    this.#make = make;
  }

  get size(): number {
    return this.#workloads.size;
  }

  has(nodeId: NodeId): boolean {
    return this.#workloads.has(nodeId);
  }

  get(nodeId: NodeId): ProxySnapshot | undefined {
    const made = this.#made.get(nodeId);
    if (made !== undefined) return made;
    const workload = this.#workloads.get(nodeId);
    if (workload === undefined) return undefined;
    const snapshot = this.#make(workload, this.#layers);
    this.#made.set(nodeId, snapshot);
    return snapshot;
  }

  keys(): Iterable<NodeId> {
    return this.#workloads.keys();
  }
}
