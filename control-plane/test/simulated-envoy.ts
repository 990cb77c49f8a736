// The part of Envoy 1.40 that matters to ADS, without sockets: what it subscribes to, what it applies of a response that
// it refuses, and that it holds back the CDS ACK while a cluster is warming. With the agent, which asks on the same stream for what
// it inspects.
import {
  CLUSTER_TYPE_URL,
  ENDPOINT_TYPE_URL,
  INSPECTION_CONFIG_TYPE_URL,
  LISTENER_TYPE_URL,
  ROUTE_TYPE_URL,
} from "@hedgerow/proto";
import { referencesOf } from "../src/ads/references.ts";
import type { AdsRequest } from "../src/ads/request.ts";
import type { SessionEffect } from "../src/ads/session.ts";
import type { Resource } from "../src/snapshot/snapshot.ts";

export type Response = Extract<SessionEffect, { kind: "send" }>;

class SimulatedType {
  /** What it runs. */
  readonly running = new Map<string, Resource>();
  /** What it would say in `initial_resource_versions`: not updated by a response that it refused. */
  readonly versions = new Map<string, string>();
  readonly subscribed = new Set<string>();
}

export class SimulatedEnvoy {
  readonly clusters = new SimulatedType();
  readonly endpoints = new SimulatedType();
  readonly listeners = new SimulatedType();
  readonly routes = new SimulatedType();
  /** The agent's. */
  readonly inspections = new SimulatedType();
  /** Clusters that have been warm once: requests may go there. */
  readonly active = new Set<string>();
  readonly #warming = new Set<string>();
  #heldBack: AdsRequest | undefined;
  #outbox: AdsRequest[] = [];

  readonly #isBad: (resource: Resource) => boolean;
  constructor(nodeId: string, isBad: (resource: Resource) => boolean) {
    this.#isBad = isBad;
    this.inspections.subscribed.add(nodeId);
  }

  /** The first requests on a new stream. */
  connect(): void {
    this.#heldBack = undefined;
    this.#outbox = [];
    // What waits for an assignment that the lost stream owed gets the one that the agent's relay has kept.
    for (const name of this.#warming) this.#warm(name);
    for (const typeUrl of [
      CLUSTER_TYPE_URL,
      ENDPOINT_TYPE_URL,
      LISTENER_TYPE_URL,
      ROUTE_TYPE_URL,
      INSPECTION_CONFIG_TYPE_URL,
    ]) {
      const type = this.#type(typeUrl);
      const named = type === this.endpoints || type === this.routes;
      if (named && type.subscribed.size === 0) continue;
      this.#send({ typeUrl, subscribe: [...type.subscribed], initialVersions: new Map(type.versions) });
    }
  }

  takeRequests(): readonly AdsRequest[] {
    const requests = this.#outbox;
    this.#outbox = [];
    return requests;
  }

  /** Whether what it runs is what it says it holds: not so between a partly applied response and its retry. */
  isCoherent(): boolean {
    return [this.clusters, this.endpoints, this.listeners, this.routes, this.inspections].every(
      ({ running, versions }) =>
        running.size === versions.size && [...running].every(([name, { version }]) => versions.get(name) === version),
    );
  }

  receive(response: Response): void {
    const { typeUrl, nonce } = response;
    const type = this.#type(typeUrl);
    const error = this.#apply(typeUrl, type, response);
    if (error === undefined) {
      for (const { name, version } of response.resources) {
        if (type.running.get(name)?.version === version) type.versions.set(name, version);
      }
      for (const name of response.removed) type.versions.delete(name);
    }
    this.#follow(ENDPOINT_TYPE_URL, this.endpoints, this.clusters.running.keys());
    const routeNames = [...this.listeners.running.values()].flatMap((each) => [...referencesOf(each).routes]);
    this.#follow(ROUTE_TYPE_URL, this.routes, routeNames);
    const answer: AdsRequest = { typeUrl, subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce, error };
    if (typeUrl === CLUSTER_TYPE_URL) this.#heldBack = answer;
    else this.#outbox.push(answer);
    if (this.#warming.size === 0 && this.#heldBack !== undefined) {
      this.#outbox.push(this.#heldBack);
      this.#heldBack = undefined;
    }
  }

  #apply(typeUrl: string, type: SimulatedType, { resources, removed }: Response): string | undefined {
    // CDS and LDS apply all that they can and name the rest; EDS and RDS stop at the first bad one and name nothing.
    const isNamed = type === this.clusters || type === this.listeners;
    const errors: string[] = [];
    for (const resource of resources) {
      // Crossed with its unsubscription: not even decoded.
      if (!isNamed && !type.subscribed.has(resource.name)) continue;
      if (this.#isBad(resource)) {
        errors.push(isNamed ? `${resource.name}: bad` : "bad");
        if (type === this.inspections) break;
        if (!isNamed) {
          // Envoy tells every watch of a refusal, and each gives up its wait (eds.cc, onConfigUpdateFailed).
          for (const name of this.#warming) this.#warm(name);
          break;
        }
        continue;
      }
      const before = type.running.get(resource.name);
      type.running.set(resource.name, resource);
      if (typeUrl === CLUSTER_TYPE_URL && before?.version !== resource.version) this.#warming.add(resource.name);
      if (typeUrl === ENDPOINT_TYPE_URL) this.#warm(resource.name);
    }
    if (!isNamed && errors.length > 0) return errors.join();
    for (const name of removed) {
      if (type !== this.routes) type.running.delete(name);
      if (typeUrl === ENDPOINT_TYPE_URL) this.#warm(name);
      if (typeUrl === CLUSTER_TYPE_URL) {
        this.#warming.delete(name);
        this.active.delete(name);
      }
    }
    const what = type === this.clusters ? "cluster(s)" : "listener(s)";
    return errors.length === 0 ? undefined : `Error adding/updating ${what} ${errors.join(", ")}`;
  }

  #warm(name: string): void {
    if (this.#warming.delete(name)) this.active.add(name);
  }

  #follow(typeUrl: string, type: SimulatedType, names: Iterable<string>): void {
    const wanted = new Set(names);
    const subscribe = [...wanted].filter((name) => !type.subscribed.has(name));
    const unsubscribe = [...type.subscribed].filter((name) => !wanted.has(name));
    for (const name of subscribe) type.subscribed.add(name);
    for (const name of unsubscribe) {
      type.subscribed.delete(name);
      type.running.delete(name);
      type.versions.delete(name);
    }
    if (subscribe.length + unsubscribe.length > 0) this.#send({ typeUrl, subscribe, unsubscribe });
  }

  #send(request: Partial<AdsRequest> & { readonly typeUrl: string }): void {
    this.#outbox.push({
      subscribe: [],
      unsubscribe: [],
      initialVersions: new Map(),
      nonce: "",
      error: undefined,
      ...request,
    });
  }

  #type(typeUrl: string): SimulatedType {
    switch (typeUrl) {
      case CLUSTER_TYPE_URL:
        return this.clusters;
      case ENDPOINT_TYPE_URL:
        return this.endpoints;
      case LISTENER_TYPE_URL:
        return this.listeners;
      case INSPECTION_CONFIG_TYPE_URL:
        return this.inspections;
      default:
        return this.routes;
    }
  }
}
