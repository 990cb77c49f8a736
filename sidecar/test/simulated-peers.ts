// Envoy and a control plane as two state machines on either side of a RelaySession, over four queues in memory.
import { CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL } from "@hedgerow/proto";
import type { DeltaRequest, DeltaResponse } from "../src/relay/delta-messages.ts";
import { type Effects, RelaySession } from "../src/relay/session.ts";

export const TYPES: readonly string[] = [CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL];

/** A version that Envoy refuses, whatever the name. */
export function isBad(version: string): boolean {
  return version.endsWith("!");
}

interface Subscription {
  wildcard: boolean;
  readonly names: Set<string>;
  readonly known: Map<string, string>;
  inFlight: { readonly nonce: string; readonly versions: ReadonlyMap<string, string> } | undefined;
}

/** Delta ADS as a control plane serves it: one push a type in flight, differences alone. */
export class SimulatedControlPlane {
  readonly content: ReadonlyMap<string, Map<string, string>> = new Map(TYPES.map((typeUrl) => [typeUrl, new Map()]));
  readonly acknowledged: ReadonlyMap<string, Map<string, string>> = new Map(
    TYPES.map((typeUrl) => [typeUrl, new Map<string, string>()]),
  );
  readonly rejected: string[] = [];
  #types = new Map<string, Subscription>();
  #nonces = 0;

  connect(): void {
    this.#types = new Map();
  }

  get allAnswered(): boolean {
    return [...this.#types.values()].every(({ inFlight }) => inFlight === undefined);
  }

  receive(request: DeltaRequest): void {
    if (!TYPES.includes(request.typeUrl)) return;
    let type = this.#types.get(request.typeUrl);
    if (type === undefined) {
      type = {
        wildcard: request.subscribe.length === 0,
        names: new Set(),
        known: new Map(Object.entries(request.initialVersions)),
        inFlight: undefined,
      };
      this.#types.set(request.typeUrl, type);
    }
    if (type.inFlight !== undefined && type.inFlight.nonce === request.responseNonce) {
      const acknowledged = this.acknowledged.get(request.typeUrl);
      if (request.error === undefined) {
        for (const [name, version] of type.inFlight.versions) acknowledged?.set(name, version);
      } else this.rejected.push(request.error);
      type.inFlight = undefined;
    }
    for (const name of request.subscribe) {
      if (name === "*") type.wildcard = true;
      else type.names.add(name);
      if (!this.content.get(request.typeUrl)?.has(name) && name !== "*") type.known.set(name, "");
    }
    for (const name of request.unsubscribe) {
      type.names.delete(name);
      type.known.delete(name);
    }
  }

  /** Every push that is due. */
  pushes(): DeltaResponse[] {
    const responses: DeltaResponse[] = [];
    for (const [typeUrl, type] of this.#types) {
      const content = this.content.get(typeUrl) ?? new Map<string, string>();
      if (type.inFlight !== undefined) continue;
      const changed = [...content].filter(
        ([name, version]) => (type.wildcard || type.names.has(name)) && type.known.get(name) !== version,
      );
      const removed = [...type.known.keys()].filter((name) => !content.has(name));
      if (changed.length === 0 && removed.length === 0) continue;
      this.#nonces += 1;
      const nonce = `cp${this.#nonces}`;
      for (const [name, version] of changed) type.known.set(name, version);
      for (const name of removed) type.known.delete(name);
      type.inFlight = { nonce, versions: new Map(changed) };
      responses.push({
        typeUrl,
        nonce,
        resources: changed.map(([name, version]) => ({ name, version, encoded: new TextEncoder().encode(version) })),
        removed,
      });
    }
    return responses;
  }
}

/** Delta ADS as Envoy speaks it: clusters by wildcard, the assignment of each cluster by name. */
export class SimulatedEnvoy {
  readonly running: ReadonlyMap<string, Map<string, string>> = new Map(
    TYPES.map((typeUrl) => [typeUrl, new Map<string, string>()]),
  );
  /** `TYPE NAME=VERSION` of everything that any Envoy has acknowledged. */
  readonly everRan: Set<string> = new Set();
  #assignments = new Set<string>();

  of(typeUrl: string): Map<string, string> {
    return this.running.get(typeUrl) ?? new Map<string, string>();
  }

  restart(): void {
    for (const type of this.running.values()) type.clear();
    this.#assignments = new Set();
  }

  /** First requests of a new stream. */
  connect(): DeltaRequest[] {
    const requests = [{ ...empty(CLUSTER_TYPE_URL), initialVersions: Object.fromEntries(this.of(CLUSTER_TYPE_URL)) }];
    if (this.#assignments.size > 0) {
      requests.push({
        ...empty(ENDPOINT_TYPE_URL),
        subscribe: [...this.#assignments],
        initialVersions: Object.fromEntries(this.of(ENDPOINT_TYPE_URL)),
      });
    }
    return requests;
  }

  receive(response: DeltaResponse): DeltaRequest[] {
    const { typeUrl, nonce } = response;
    const running = this.of(typeUrl);
    const bad = response.resources.find(({ version }) => isBad(version));
    if (bad !== undefined)
      return [{ ...empty(typeUrl), responseNonce: nonce, error: "proto constraint validation failed" }];
    for (const { name, version } of response.resources) {
      // Answers to what it has unsubscribed from meanwhile are ignored.
      if (typeUrl === ENDPOINT_TYPE_URL && !this.#assignments.has(name)) continue;
      running.set(name, version);
      this.everRan.add(`${typeUrl} ${name}=${version}`);
    }
    for (const name of response.removed) running.delete(name);
    const requests = [{ ...empty(typeUrl), responseNonce: nonce }];
    if (typeUrl === CLUSTER_TYPE_URL) requests.push(...this.#follow(running));
    return requests;
  }

  #follow(clusters: ReadonlyMap<string, string>): DeltaRequest[] {
    const subscribe = [...clusters.keys()].filter((name) => !this.#assignments.has(name));
    const unsubscribe = [...this.#assignments].filter((name) => !clusters.has(name));
    this.#assignments = new Set(clusters.keys());
    for (const name of unsubscribe) this.of(ENDPOINT_TYPE_URL).delete(name);
    if (subscribe.length === 0 && unsubscribe.length === 0) return [];
    return [{ ...empty(ENDPOINT_TYPE_URL), subscribe, unsubscribe }];
  }
}

function empty(typeUrl: string): DeltaRequest {
  return { typeUrl, subscribe: [], unsubscribe: [], initialVersions: {}, responseNonce: "", error: undefined };
}

/** The three of them, and what is under way between them. */
export class SimulatedWorld {
  readonly controlPlane: SimulatedControlPlane = new SimulatedControlPlane();
  readonly envoy: SimulatedEnvoy = new SimulatedEnvoy();
  #session = new RelaySession("shop/caller");
  #toRelay: DeltaResponse[] = [];
  #toControlPlane: DeltaRequest[] = [];
  #toEnvoy: DeltaResponse[] = [];
  #fromEnvoy: DeltaRequest[] = [];
  upstreamUp = false;
  envoyUp = false;

  get idle(): boolean {
    return [this.#toRelay, this.#toControlPlane, this.#toEnvoy, this.#fromEnvoy].every(({ length }) => length === 0);
  }

  setUpstream(up: boolean): void {
    if (up === this.upstreamUp) return;
    this.upstreamUp = up;
    this.#toRelay = [];
    this.#toControlPlane = [];
    if (up) this.controlPlane.connect();
    this.#apply(up ? this.#session.upstreamConnected() : this.#session.upstreamDisconnected());
  }

  setEnvoy(up: boolean): void {
    if (up === this.envoyUp) return;
    this.envoyUp = up;
    this.#toEnvoy = [];
    this.#fromEnvoy = up ? this.envoy.connect() : [];
    this.#apply(up ? this.#session.envoyConnected() : this.#session.envoyDisconnected());
  }

  killEnvoy(): void {
    this.setEnvoy(false);
    this.envoy.restart();
  }

  /** A new agent: nothing remembered, no stream. */
  killAgent(): void {
    this.setEnvoy(false);
    this.setUpstream(false);
    this.#session = new RelaySession("shop/caller");
  }

  /** Time passes, for an Envoy that has said all that it has to say; no other is taken for settled. */
  settle(): void {
    if (this.#fromEnvoy.length > 0 || this.#toEnvoy.length > 0) return;
    this.#apply(this.#session.envoySettled());
  }

  /** Moves one message on one of the four ways, if there is one. */
  step(way: number): void {
    if (this.upstreamUp) this.#toRelay.push(...this.controlPlane.pushes());
    switch (way % 4) {
      case 0: {
        const next = this.#toRelay.shift();
        if (next !== undefined) this.#apply(this.#session.fromUpstream(next));
        break;
      }
      case 1: {
        const next = this.#toControlPlane.shift();
        if (next !== undefined) this.controlPlane.receive(next);
        break;
      }
      case 2: {
        const next = this.#toEnvoy.shift();
        if (next !== undefined) this.#fromEnvoy.push(...this.envoy.receive(next));
        break;
      }
      case 3: {
        const next = this.#fromEnvoy.shift();
        if (next !== undefined) this.#apply(this.#session.fromEnvoy(next));
        break;
      }
    }
  }

  /** Moves messages until none is left. Throws where the three never come to rest. */
  run(): void {
    for (let round = 0; round < 2_000; round += 1) {
      for (let way = 0; way < 4; way += 1) this.step(way);
      if (this.idle && (!this.upstreamUp || this.controlPlane.pushes().length === 0)) return;
    }
    throw new Error("the relay and its peers never come to rest");
  }

  #apply(effects: Effects): void {
    if (effects.resetUpstream !== undefined || effects.resetEnvoy !== undefined) throw new Error("stream was reset");
    if (this.upstreamUp) this.#toControlPlane.push(...effects.toUpstream);
    if (this.envoyUp) this.#toEnvoy.push(...effects.toEnvoy);
  }
}
