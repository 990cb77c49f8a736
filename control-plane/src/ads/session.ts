import { ADS_TYPE_URLS, type AdsTypeUrl, CLUSTER_TYPE_URL, ENDPOINT_TYPE_URL } from "@hedgerow/proto";
import { changedNames } from "../snapshot/layers.ts";
import type { ProxySnapshot } from "../snapshot/snapshot.ts";
import { nextPush, type Push, wantedOf } from "./order.ts";
import type { ProxyTypeState } from "./proxy-state.ts";
import { type AdsRequest, MAX_NAMES } from "./request.ts";
import { subscribe } from "./subscription.ts";
import {
  acknowledge,
  forget,
  newTypeState,
  refresh,
  reject,
  resubscribed,
  type TypeState,
  typeView,
} from "./type-state.ts";

export type SessionEvent =
  | { readonly kind: "request"; readonly request: AdsRequest; readonly nowMs: number }
  /** What the proxy is to run from now on. Snapshots that arrive while a response is in flight merge: the newest wins. */
  | { readonly kind: "snapshot"; readonly snapshot: ProxySnapshot }
  /** The last response has left; the next may be written. */
  | { readonly kind: "written" };

export type SessionEffect =
  | ({ readonly kind: "send"; readonly nonce: string } & Push)
  | { readonly kind: "acknowledged"; readonly typeUrl: string; readonly nonce: string }
  | {
      readonly kind: "rejected";
      readonly typeUrl: string;
      readonly nonce: string;
      readonly message: string;
      /** Empty when the NACK does not tell. */
      readonly blamed: readonly string[];
    }
  /** The client broke a limit; the stream is to end. */
  | { readonly kind: "refuse"; readonly problem: string };

// Envoy uses a handful of types; a client with more is answered on the first ones.
const MAX_TYPES = 32;

/**
 * The delta protocol on one stream, as a state machine: events in, effects out; no clock, no I/O. At most one response
 * is being written, and at most one per type waits for its ACK. A stream starts from nothing: what the client holds is
 * what its first requests say (`initial_resource_versions`), and content refused on an earlier stream is tried once more.
 * NOTE: a bare Envoy says that it holds what it applied of a response before the stream broke, also while a cluster of it
 * still warms for an assignment, or after it refused another part; the agent's relay says only what was acknowledged.
 *
 * order.ts says what goes next and what a NACK holds up. Source: Envoy's docs, "xDS REST and gRPC protocol", incremental.
 */
export class Session {
  readonly #types = new Map<string, TypeState>();
  /** Clusters sent on this stream: their assignments are owed even to a client that says it holds them. */
  readonly #clustersSent = new Set<string>();
  #snapshot: ProxySnapshot | undefined;
  #writing = false;
  #lastNonce = 0;

  handle(event: SessionEvent): readonly SessionEffect[] {
    const effects: SessionEffect[] = [];
    switch (event.kind) {
      case "request":
        this.#request(event.request, event.nowMs, effects);
        break;
      case "snapshot":
        this.#take(event.snapshot);
        break;
      case "written":
        this.#writing = false;
        break;
    }
    this.#push(effects);
    return effects;
  }

  /** What the client has said, by type; of types that it has asked for. */
  typeStates(): ReadonlyMap<AdsTypeUrl, ProxyTypeState> {
    const states = new Map<AdsTypeUrl, ProxyTypeState>();
    for (const typeUrl of ADS_TYPE_URLS) {
      const state = this.#types.get(typeUrl);
      if (state !== undefined)
        states.set(typeUrl, typeView(state, this.#snapshot && wantedOf(this.#snapshot, typeUrl)));
    }
    return states;
  }

  #take(snapshot: ProxySnapshot): void {
    const before = this.#snapshot;
    this.#snapshot = snapshot;
    for (const [typeUrl, state] of this.#types) {
      const wanted = wantedOf(snapshot, typeUrl);
      refresh(
        state,
        wanted,
        before === undefined ? state.held.keys() : changedNames(wantedOf(before, typeUrl), wanted),
      );
    }
    // An assignment that the snapshot has not is made up while its cluster is there.
    const endpoints = this.#types.get(ENDPOINT_TYPE_URL);
    if (endpoints?.pending === undefined || before === undefined) return;
    const clusters = wantedOf(snapshot, CLUSTER_TYPE_URL);
    for (const name of changedNames(wantedOf(before, CLUSTER_TYPE_URL), clusters)) endpoints.pending.add(name);
  }

  #request(request: AdsRequest, nowMs: number, effects: SessionEffect[]): void {
    const { typeUrl } = request;
    const known = this.#types.get(typeUrl);
    if (known === undefined && this.#types.size >= MAX_TYPES) return;
    const state = known ?? newTypeState();
    this.#types.set(typeUrl, state);
    this.#answer(state, request, nowMs, effects);
    this.#subscribe(state, request, known === undefined);
    if (state.subscription.names.size > MAX_NAMES) {
      effects.push({ kind: "refuse", problem: `more than ${MAX_NAMES} names of type ${typeUrl}` });
    }
  }

  /** The ACK or NACK in a request. One with a stale nonce says nothing; its subscriptions still count. */
  #answer(state: TypeState, request: AdsRequest, nowMs: number, effects: SessionEffect[]): void {
    const { typeUrl, nonce, error } = request;
    const { inFlight } = state;
    if (inFlight === undefined || inFlight.nonce !== nonce) return;
    if (error === undefined) {
      acknowledge(state, inFlight, nowMs);
      effects.push({ kind: "acknowledged", typeUrl, nonce });
    } else {
      const blamed = reject(state, inFlight, error, nowMs);
      effects.push({ kind: "rejected", typeUrl, nonce, message: error, blamed });
    }
  }

  #subscribe(state: TypeState, request: AdsRequest, first: boolean): void {
    const change = subscribe(state.subscription, request, first);
    const { held, inFlight, rejected, owed } = state;
    if (first || request.subscribe.length > 0 || request.unsubscribe.length > 0) resubscribed(state);
    for (const name of [...held.keys(), ...(inFlight?.resources.keys() ?? []), ...rejected.keys(), ...owed]) {
      if (change.dropped(name)) forget(state, name);
    }
    if (first) {
      holdInitially(state, request);
      if (this.#snapshot !== undefined) refresh(state, wantedOf(this.#snapshot, request.typeUrl), held.keys());
    }
    const warming = request.typeUrl === ENDPOINT_TYPE_URL ? this.#clustersSent : undefined;
    for (const name of change.asked) {
      if (!first || !request.initialVersions.has(name) || warming?.has(name) === true) owed.add(name);
    }
    // A client that holds something has been answered before.
    if (change.wildcardAdded && held.size === 0) state.answerOwed = true;
  }

  #push(effects: SessionEffect[]): void {
    if (this.#writing || this.#snapshot === undefined) return;
    const push = nextPush(this.#types, this.#snapshot);
    const state = push && this.#types.get(push.typeUrl);
    if (push === undefined || state === undefined) return;
    this.#lastNonce += 1;
    const nonce = String(this.#lastNonce);
    this.#writing = true;
    state.answerOwed = false;
    state.inFlight = {
      nonce,
      sent: push.resources.length,
      resources: new Map(push.resources.map((resource) => [resource.name, resource])),
      removed: new Set(push.removed),
    };
    for (const name of [...state.inFlight.resources.keys(), ...push.removed]) state.owed.delete(name);
    if (push.typeUrl === CLUSTER_TYPE_URL) this.#oweAssignments(push);
    effects.push({ kind: "send", nonce, ...push });
  }

  #oweAssignments({ resources }: Push): void {
    const endpoints = this.#types.get(ENDPOINT_TYPE_URL);
    for (const { name } of resources) {
      this.#clustersSent.add(name);
      if (endpoints?.subscription.names.has(name) === true) endpoints.owed.add(name);
    }
  }
}

/** What the client brings along from an earlier stream, as far as it still wants it. */
function holdInitially(state: TypeState, { initialVersions }: AdsRequest): void {
  const { wildcard, names } = state.subscription;
  for (const [name, acknowledged] of initialVersions) {
    if (wildcard || names.has(name)) state.held.set(name, { acknowledged, resource: undefined, settled: true });
  }
  state.view = undefined;
}
