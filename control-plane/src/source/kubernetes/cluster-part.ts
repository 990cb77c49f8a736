// The cluster of a view, from the news of the API server.
import { type ObjectKey, objectKey } from "@hedgerow/manifest";
import { clusterService } from "../../cluster/cluster-service.ts";
import type { SliceRecord } from "../../cluster/read-endpoint-slice.ts";
import type { PodRecord } from "../../cluster/read-pod.ts";
import type { ServiceRecord } from "../../cluster/read-service.ts";
import type { ClusterService, ClusterState, MeshNamespace, MeshPod } from "../../cluster/state.ts";
import { sameContent } from "../../last-good/same-content.ts";
import type { NodeId } from "../../snapshot/snapshot.ts";

/** Gathers what the API server says; `state` makes the next state of it, in which what did not change is what it was. */
export class ClusterPart {
  readonly #pods = new Map<NodeId, MeshPod>();
  readonly #services = new Map<ObjectKey, ClusterService>();
  readonly #namespaces = new Map<string, MeshNamespace>();
  readonly #records = new Map<ObjectKey, ServiceRecord>();
  /** By the slice's own key; a slice never changes its Service, but one of the same name may have another. */
  readonly #slices = new Map<string, SliceRecord>();
  readonly #slicesOf = new Map<ObjectKey, Map<string, SliceRecord>>();
  readonly #regions = new Map<string, string>();
  readonly #staleServices = new Set<ObjectKey>();
  #podsChanged = false;
  #servicesChanged = false;
  #namespacesChanged = false;
  #state: ClusterState = { pods: new Map(), services: new Map(), namespaces: new Map() };

  /** What was last made. */
  get current(): ClusterState {
    return this.#state;
  }

  /** True: the next state is another one. */
  putPod(record: PodRecord): boolean {
    const pod: MeshPod = { ...record, region: this.#regionOf(record.nodeName) };
    if (sameContent(this.#pods.get(pod.nodeId), pod)) return false;
    this.#pods.set(pod.nodeId, pod);
    this.#podsChanged = true;
    return true;
  }

  removePod(nodeId: NodeId): boolean {
    const isChange = this.#pods.delete(nodeId);
    this.#podsChanged ||= isChange;
    return isChange;
  }

  /** `region` undefined: the node is gone, or has none. */
  putRegion(node: string, region: string | undefined): boolean {
    if (this.#regions.get(node) === region) return false;
    if (region === undefined) this.#regions.delete(node);
    else this.#regions.set(node, region);
    let isChange = false;
    for (const [nodeId, pod] of this.#pods) {
      if (pod.nodeName !== node) continue;
      this.#pods.set(nodeId, { ...pod, region });
      isChange = true;
    }
    this.#podsChanged ||= isChange;
    return isChange;
  }

  putNamespace(namespace: MeshNamespace): boolean {
    if (sameContent(this.#namespaces.get(namespace.name), namespace)) return false;
    this.#namespaces.set(namespace.name, namespace);
    this.#namespacesChanged = true;
    return true;
  }

  removeNamespace(name: string): boolean {
    const isChange = this.#namespaces.delete(name);
    this.#namespacesChanged ||= isChange;
    return isChange;
  }

  putService(record: ServiceRecord): void {
    const key = objectKey(record.ref);
    this.#records.set(key, record);
    this.#staleServices.add(key);
  }

  removeService(key: ObjectKey): void {
    if (this.#records.delete(key)) this.#staleServices.add(key);
  }

  putSlice(key: string, slice: SliceRecord): boolean {
    const before = this.#slices.get(key);
    if (sameContent(before, slice)) return false;
    if (before !== undefined && before.service !== slice.service) this.removeSlice(key);
    this.#slices.set(key, slice);
    const siblings = this.#slicesOf.get(slice.service) ?? new Map<string, SliceRecord>();
    siblings.set(key, slice);
    this.#slicesOf.set(slice.service, siblings);
    return this.#touch(slice.service);
  }

  removeSlice(key: string): boolean {
    const slice = this.#slices.get(key);
    if (slice === undefined) return false;
    this.#slices.delete(key);
    const siblings = this.#slicesOf.get(slice.service);
    siblings?.delete(key);
    if (siblings?.size === 0) this.#slicesOf.delete(slice.service);
    return this.#touch(slice.service);
  }

  /** The state by now: the very same one where nothing changed. */
  state(): ClusterState {
    for (const key of this.#staleServices) this.#rebuild(key);
    this.#staleServices.clear();
    if (!this.#podsChanged && !this.#servicesChanged && !this.#namespacesChanged) return this.#state;
    const { pods, services, namespaces } = this.#state;
    this.#state = {
      pods: this.#podsChanged ? new Map(this.#pods) : pods,
      services: this.#servicesChanged ? new Map(this.#services) : services,
      namespaces: this.#namespacesChanged ? new Map(this.#namespaces) : namespaces,
    };
    this.#podsChanged = false;
    this.#servicesChanged = false;
    this.#namespacesChanged = false;
    return this.#state;
  }

  /** Slices may come before their Service, and stay behind for a while. */
  #touch(service: ObjectKey): boolean {
    if (!this.#records.has(service)) return false;
    this.#staleServices.add(service);
    return true;
  }

  #rebuild(key: ObjectKey): void {
    const record = this.#records.get(key);
    const before = this.#services.get(key);
    if (record === undefined) {
      this.#servicesChanged = this.#services.delete(key) || this.#servicesChanged;
      return;
    }
    const built = clusterService(record, this.#slicesOf.get(key)?.values() ?? [], before);
    if (built === before) return;
    this.#services.set(key, built);
    this.#servicesChanged = true;
  }

  #regionOf(node: string | undefined): string | undefined {
    return node === undefined ? undefined : this.#regions.get(node);
  }
}
