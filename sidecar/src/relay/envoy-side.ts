import type { DeltaRequest, DeltaResponse, HeldResource } from "./delta-messages.ts";
import { type TypeState, WILDCARD } from "./type-state.ts";

interface Outstanding {
  readonly nonce: string;
  readonly sent: ReadonlyMap<string, HeldResource>;
  readonly removed: readonly string[];
}

/** How Envoy answered, for logs and counters. */
export type EnvoyAnswer =
  | { readonly kind: "none" | "ack" | "stale" }
  | { readonly kind: "nack"; readonly message: string };

/** The stream of the present Envoy for one type: it is sent whatever differs from what it should run, one response at a time. */
export class EnvoySide {
  readonly #state: TypeState;
  #attached = false;
  #wildcard = false;
  #names = new Set<string>();
  /** Subscriptions not yet answered, by name; `#owesWildcard` for a whole type. */
  readonly #owed = new Set<string>();
  #owesWildcard = false;
  /** To be sent although Envoy runs that version already. */
  readonly #forced = new Set<string>();
  #outstanding: Outstanding | undefined;

  constructor(state: TypeState) {
    this.#state = state;
  }

  detach(): void {
    this.#attached = false;
    this.#outstanding = undefined;
    this.#owed.clear();
    this.#owesWildcard = false;
    this.#forced.clear();
    this.#state.suspects.envoyDisconnected();
  }

  /** Takes a request in; `first` is true for the first of a stream, which brings what Envoy runs. */
  receive(request: DeltaRequest): { readonly first: boolean; readonly answer: EnvoyAnswer } {
    const first = !this.#attached;
    if (first) this.#attach(request);
    const answer: EnvoyAnswer = first ? { kind: "none" } : this.#settle(request);
    for (const name of request.subscribe) this.#subscribe(name);
    for (const name of request.unsubscribe) this.#unsubscribe(name);
    return { first, answer };
  }

  #attach(request: DeltaRequest): void {
    this.#attached = true;
    this.#wildcard = false;
    this.#names = new Set();
    this.#state.suspects.envoyConnected();
    this.#state.running = new Map(Object.entries(request.initialVersions));
    for (const [name, version] of this.#state.running) this.#state.acceptIfHeld(name, version);
    this.dropSettledRemovals();
    // An empty first subscription is a wildcard (xDS protocol, "How the client specifies what resources to return").
    if (request.subscribe.length === 0) this.#subscribe(WILDCARD);
  }

  #subscribe(name: string): void {
    const { running, names } = this.#state;
    if (name === WILDCARD) {
      this.#state.wildcard = true;
      this.#wildcard = true;
      // An Envoy that brings versions is past waiting for its first answer.
      this.#owesWildcard = running.size === 0;
      return;
    }
    // Subscribing again asks for the resource again (xDS protocol, "Subscribing to Resources").
    if (this.#names.has(name) && running.has(name)) this.#forced.add(name);
    this.#names.add(name);
    names.add(name);
    if (!running.has(name)) this.#owed.add(name);
  }

  #unsubscribe(name: string): void {
    const { latest, names } = this.#state;
    if (name === WILDCARD) {
      this.#state.wildcard = false;
      this.#wildcard = false;
      this.#owesWildcard = false;
      for (const held of latest.keys()) if (!names.has(held)) this.#forget(held);
      return;
    }
    this.#names.delete(name);
    names.delete(name);
    if (!this.#state.wildcard) this.#forget(name);
  }

  #forget(name: string): void {
    this.#state.forget(name);
    this.#owed.delete(name);
    this.#forced.delete(name);
  }

  /** Drops subscriptions that an earlier Envoy made and this one, long connected, did not repeat. */
  dropStaleSubscriptions(): void {
    if (this.#attached) this.#state.wildcard = this.#wildcard;
    for (const name of this.#state.names) if (!(this.#attached && this.#names.has(name))) this.#unsubscribe(name);
  }

  #settle(request: DeltaRequest): EnvoyAnswer {
    if (request.responseNonce === "") return { kind: "none" };
    const outstanding = this.#outstanding;
    if (outstanding?.nonce !== request.responseNonce) return { kind: "stale" };
    this.#outstanding = undefined;
    // Whether a refused response's removals took place, Envoy does not say: they are sent again, alone. Refused alone, they
    // are given up.
    if (request.error === undefined || outstanding.sent.size === 0) this.#settleRemoved(outstanding.removed);
    if (request.error === undefined) {
      for (const resource of outstanding.sent.values()) this.#settleAccepted(resource);
      return { kind: "ack" };
    }
    this.#state.suspects.refuse(outstanding.sent, request.error, this.#state.accepted);
    return { kind: "nack", message: request.error };
  }

  #settleRemoved(removed: readonly string[]): void {
    const { running, accepted, sent, names, absent } = this.#state;
    for (const name of removed) {
      running.delete(name);
      accepted.delete(name);
      sent.delete(name);
      this.#forced.delete(name);
      if (!names.has(name)) absent.delete(name);
    }
  }

  #settleAccepted(resource: HeldResource): void {
    const { name, version } = resource;
    // Unsubscribed while the response was under way.
    if (!this.#state.wanted(name)) return;
    this.#state.running.set(name, version);
    this.#state.accepted.set(name, resource);
    this.#state.suspects.accept(resource);
  }

  /** To be called before upstream's word on the name is noted: the same again means that Envoy shall have it again. */
  notePush(resource: HeldResource): void {
    const { name, version } = resource;
    const { latest, running } = this.#state;
    const known = latest.get(name)?.version === version;
    if (known && this.#attached && running.get(name) === version) this.#forced.add(name);
  }

  noteRemoval(name: string): void {
    this.#forced.delete(name);
  }

  /** Removals that this Envoy need not be told of, because it runs nothing under the name. */
  dropSettledRemovals(): void {
    if (!this.#attached) return;
    const { absent, running, accepted, sent, names } = this.#state;
    for (const name of absent) {
      if (running.has(name) || this.inFlight(name)) continue;
      accepted.delete(name);
      sent.delete(name);
      // Under a named subscription it is the answer to give again; under a wildcard it has served its purpose.
      if (!names.has(name)) absent.delete(name);
    }
  }

  forceResend(names: Iterable<string>): void {
    if (!this.#attached) return;
    for (const name of names) if (this.#state.running.has(name) && this.#interested(name)) this.#forced.add(name);
  }

  #interested(name: string): boolean {
    return this.#attached && (this.#wildcard || this.#names.has(name));
  }

  /** Sent and not answered, or about to be sent. */
  inFlight(name: string): boolean {
    const outstanding = this.#outstanding;
    return (
      (this.#forced.has(name) && this.#state.target(name) !== undefined) ||
      this.#state.suspects.has(name) ||
      (outstanding !== undefined && (outstanding.sent.has(name) || outstanding.removed.includes(name)))
    );
  }

  /**
   * The next response for Envoy, at most one at a time. While upstream is away, a subscription to a name that nobody holds
   * is answered with "does not exist" once the control plane has ever answered for the type, so that warming ends.
   */
  next(nonce: string, upstreamConnected: boolean): Omit<DeltaResponse, "typeUrl"> | undefined {
    if (!this.#attached || this.#outstanding !== undefined) return undefined;
    const resources = this.#due();
    const removed = this.#state.suspects.any ? [] : this.#dueRemovals(upstreamConnected);
    const answersWildcard = this.#owesWildcard && (this.#state.answered || this.#state.accepted.size > 0);
    if (resources.length === 0 && removed.length === 0 && !answersWildcard) return undefined;
    const sent = new Map(resources.map((resource) => [resource.name, resource]));
    for (const resource of resources) this.#state.sent.set(resource.name, resource);
    for (const name of [...sent.keys(), ...removed]) {
      this.#owed.delete(name);
      this.#forced.delete(name);
    }
    this.#owesWildcard = false;
    this.#outstanding = { nonce, sent, removed };
    return { nonce, resources, removed };
  }

  #due(): HeldResource[] {
    // One suspect at a time, and nothing else beside it.
    const suspect = this.#state.suspects.next((name) => this.#interested(name) && this.#differs(name));
    const names =
      suspect === undefined ? new Set([...this.#state.latest.keys(), ...this.#state.accepted.keys()]) : [suspect];
    const resources: HeldResource[] = [];
    for (const name of names) {
      if (!this.#interested(name) || !(this.#forced.has(name) || this.#differs(name))) continue;
      const target = this.#state.target(name);
      if (target !== undefined) resources.push(target);
    }
    return resources;
  }

  /** Envoy should run something under the name, and runs something else or nothing. */
  #differs(name: string): boolean {
    const target = this.#state.target(name);
    return target !== undefined && this.#state.running.get(name) !== target.version;
  }

  #dueRemovals(upstreamConnected: boolean): string[] {
    const { absent, running, answered } = this.#state;
    const removed = [...absent].filter((name) => this.#interested(name) && (running.has(name) || this.#owed.has(name)));
    if (upstreamConnected || !answered) return removed;
    const unheld = [...this.#owed].filter((name) => this.#state.target(name) === undefined);
    return [...new Set([...removed, ...unheld])];
  }
}
