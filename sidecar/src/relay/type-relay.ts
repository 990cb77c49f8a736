// What the relay knows of one type URL, and what follows from it for both sides.
//
// The relay compares states; it does not forward messages. Upstream's words make `latest`; Envoy's acknowledgements make
// `running` (this Envoy) and `accepted` (proven good, kept for the next Envoy). Envoy is sent whatever differs, one
// response at a time; a response of the control plane is answered once Envoy has settled everything in it. So an Envoy
// that restarts, an agent that restarts and a control plane that comes back are all the same comparison.
import { ENDPOINT_TYPE_URL } from "@hedgerow/proto";
import type { EnvoyRequest, EnvoyResponse, HeldResource, UpstreamRequest, UpstreamResponse } from "./delta-messages.ts";
import { composeError, entryOf, namedIn } from "./rejection.ts";

const WILDCARD = "*";
/** Tells the control plane "I know this name but cannot vouch for its content": no content hash is empty. */
const UNKNOWN_VERSION = "";
/** A control plane keeps one push a type in flight; this many unanswered ones mean that it does not speak our protocol. */
const MAX_UNANSWERED = 32;
/** Of one NACK, in bytes or fewer. Upstream cuts at 1 KiB for people; this bounds what we keep. */
const MAX_ERROR_LENGTH = 4096;

interface Outstanding {
  readonly nonce: string;
  readonly sent: ReadonlyMap<string, HeldResource>;
  readonly removed: readonly string[];
}

interface Push {
  readonly nonce: string;
  readonly versions: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
}

interface Rejection {
  readonly version: string;
  readonly message: string;
}

/** How Envoy answered, for logs and counters. */
export type EnvoyAnswer =
  | { readonly kind: "none" | "ack" | "stale" }
  | { readonly kind: "nack"; readonly message: string };

export class TypeRelay {
  readonly typeUrl: string;

  // Upstream's side.
  readonly #latest = new Map<string, HeldResource>();
  /** Names that upstream said do not exist: to be removed from Envoy, or to answer a subscription with. */
  readonly #absent = new Set<string>();
  #answered = false;
  #pushes: Push[] = [];
  #toldWildcard = false;
  #told: Set<string> | undefined;

  // What Envoy wants, kept while it is away.
  #wildcard = false;
  readonly #names = new Set<string>();
  readonly #accepted = new Map<string, HeldResource>();
  /** Last sent to an Envoy, answered or not: a stream may break between the answer and us. */
  readonly #sent = new Map<string, HeldResource>();
  /** Latest versions that Envoy refused; upstream sending the name again is a reason to try again. */
  readonly #rejected = new Map<string, Rejection>();

  // This Envoy's stream.
  #attached = false;
  #streamWildcard = false;
  #streamNames = new Set<string>();
  #running = new Map<string, string>();
  /** Subscriptions not yet answered, by name; `#owesWildcard` for a whole type. */
  #owed = new Set<string>();
  #owesWildcard = false;
  /** To be sent although Envoy runs that version already. */
  #forced = new Set<string>();
  /** Names whose accepted version this Envoy refuses too. */
  #refused = new Set<string>();
  /** Suspects of a NACK, tried again one at a time so that one bad resource does not condemn its companions. */
  #alone = new Set<string>();
  #outstanding: Outstanding | undefined;

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  get resourceCount(): number {
    return this.#accepted.size;
  }

  // --- Envoy ---

  detachEnvoy(): void {
    this.#attached = false;
    this.#outstanding = undefined;
    this.#owed.clear();
    this.#owesWildcard = false;
    this.#forced.clear();
    this.#alone.clear();
  }

  fromEnvoy(request: EnvoyRequest): EnvoyAnswer {
    const first = !this.#attached;
    if (first) this.#attach(request);
    const answer: EnvoyAnswer = first ? { kind: "none" } : this.#settleOutstanding(request);
    for (const name of request.subscribe) this.#subscribe(name);
    for (const name of request.unsubscribe) this.#unsubscribe(name);
    // Envoy brings the versions of its assignments, but a cluster that was warming when the stream broke still waits.
    if (first && this.typeUrl === ENDPOINT_TYPE_URL) this.forceResend(this.#running.keys());
    return answer;
  }

  #attach(request: EnvoyRequest): void {
    this.#attached = true;
    this.#streamWildcard = false;
    this.#streamNames = new Set();
    this.#refused = new Set();
    this.#running = new Map(Object.entries(request.initialVersions));
    for (const [name, version] of this.#running) this.#acceptIfHeld(name, version);
    this.#dropSettledRemovals();
    // An empty first subscription is a wildcard (xDS protocol, "How the client specifies what resources to return").
    if (request.subscribe.length === 0) this.#subscribe(WILDCARD);
  }

  #subscribe(name: string): void {
    if (name === WILDCARD) {
      this.#wildcard = true;
      this.#streamWildcard = true;
      // An Envoy that brings versions is past waiting for its first answer.
      this.#owesWildcard = this.#running.size === 0;
      return;
    }
    // Subscribing again asks for the resource again (xDS protocol, "Subscribing to Resources").
    if (this.#streamNames.has(name) && this.#running.has(name)) this.#forced.add(name);
    this.#streamNames.add(name);
    this.#names.add(name);
    if (!this.#running.has(name)) this.#owed.add(name);
  }

  #unsubscribe(name: string): void {
    if (name === WILDCARD) {
      this.#wildcard = false;
      this.#streamWildcard = false;
      this.#owesWildcard = false;
      for (const held of this.#latest.keys()) if (!this.#names.has(held)) this.#forget(held);
      return;
    }
    this.#streamNames.delete(name);
    this.#names.delete(name);
    if (!this.#wildcard) this.#forget(name);
  }

  #forget(name: string): void {
    for (const state of [
      this.#latest,
      this.#accepted,
      this.#sent,
      this.#rejected,
      this.#absent,
      this.#running,
      this.#owed,
      this.#forced,
      this.#refused,
      this.#alone,
    ]) {
      state.delete(name);
    }
  }

  /** Drops subscriptions that an earlier Envoy made and this one, long connected, did not repeat. */
  dropStaleSubscriptions(): void {
    if (this.#attached) this.#wildcard = this.#streamWildcard;
    for (const name of this.#names) if (!(this.#attached && this.#streamNames.has(name))) this.#unsubscribe(name);
  }

  #settleOutstanding(request: EnvoyRequest): EnvoyAnswer {
    if (request.responseNonce === "") return { kind: "none" };
    const outstanding = this.#outstanding;
    if (outstanding?.nonce !== request.responseNonce) return { kind: "stale" };
    this.#outstanding = undefined;
    // Whether a refused response's removals took place, Envoy does not say: they are sent again, alone. Refused alone, they
    // are given up.
    if (request.error === undefined || outstanding.sent.size === 0) this.#settleRemoved(outstanding.removed);
    if (request.error === undefined) {
      for (const [name, resource] of outstanding.sent) this.#settleAccepted(name, resource);
      return { kind: "ack" };
    }
    this.#settleRejected(outstanding.sent, request.error);
    return { kind: "nack", message: request.error };
  }

  #settleRemoved(names: readonly string[]): void {
    for (const name of names) {
      this.#running.delete(name);
      this.#accepted.delete(name);
      this.#sent.delete(name);
      this.#forced.delete(name);
      if (!this.#names.has(name)) this.#absent.delete(name);
    }
  }

  #settleAccepted(name: string, resource: HeldResource): void {
    // Unsubscribed while the response was under way.
    if (!this.#wanted(name)) return;
    this.#running.set(name, resource.version);
    this.#accepted.set(name, resource);
    this.#alone.delete(name);
    this.#refused.delete(name);
    if (this.#rejected.get(name)?.version === resource.version) this.#rejected.delete(name);
  }

  /**
   * Convicts whom Envoy's words name. Where they name nobody, every suspect is tried again alone: one bad resource does not
   * condemn those that it travelled with, and the control plane learns which one it was.
   */
  #settleRejected(sent: ReadonlyMap<string, HeldResource>, words: string): void {
    const named = namedIn(words, new Set(sent.keys()));
    if (named.size === 0 && sent.size > 1) {
      const suspects = [...sent.values()].filter(({ name, version }) => this.#accepted.get(name)?.version !== version);
      // None: an Envoy before this one accepted it all, this one does not.
      for (const { name } of suspects.length > 0 ? suspects : sent.values()) this.#alone.add(name);
      return;
    }
    for (const { name, version } of sent.values()) {
      const entry = sent.size === 1 ? entryOf(words, name) : named.get(name);
      if (entry === undefined) continue;
      this.#alone.delete(name);
      if (this.#accepted.get(name)?.version === version) this.#refused.add(name);
      else this.#rejected.set(name, { version, message: entry.slice(0, MAX_ERROR_LENGTH) });
    }
  }

  /** A changed cluster stays warming until its assignment is sent again, even one that Envoy has (Envoy #47302). */
  forceResend(names: Iterable<string>): void {
    if (!this.#attached) return;
    for (const name of names) if (this.#running.has(name) && this.#interested(name)) this.#forced.add(name);
  }

  #interested(name: string): boolean {
    return this.#attached && (this.#streamWildcard || this.#streamNames.has(name));
  }

  /** What this Envoy should run under a name; undefined when that is nothing or unknown. */
  #target(name: string): HeldResource | undefined {
    if (this.#absent.has(name)) return undefined;
    const latest = this.#latest.get(name);
    const accepted = this.#accepted.get(name);
    const candidate = latest !== undefined && this.#rejected.get(name)?.version !== latest.version ? latest : accepted;
    return candidate === accepted && this.#refused.has(name) ? undefined : candidate;
  }

  /**
   * The next response for Envoy, at most one at a time. While upstream is away, a subscription to a name that nobody holds
   * is answered with "does not exist" once the control plane has ever answered for the type, so that warming ends.
   */
  nextForEnvoy(nonce: string, upstreamConnected: boolean): EnvoyResponse | undefined {
    if (!this.#attached || this.#outstanding !== undefined) return undefined;
    const resources: HeldResource[] = [];
    for (const name of this.#candidates()) {
      const target = this.#target(name);
      if (target === undefined || (this.#running.get(name) === target.version && !this.#forced.has(name))) continue;
      resources.push(target);
      if (this.#alone.has(name)) break;
    }
    const removed = new Set<string>();
    if (this.#alone.size === 0) {
      for (const name of this.#absent) {
        if (this.#interested(name) && (this.#running.has(name) || this.#owed.has(name))) removed.add(name);
      }
      if (!upstreamConnected && this.#answered) {
        for (const name of this.#owed) if (this.#target(name) === undefined) removed.add(name);
      }
    }
    const answersWildcard = this.#owesWildcard && (this.#answered || this.#accepted.size > 0);
    if (resources.length === 0 && removed.size === 0 && !answersWildcard) return undefined;
    const sent = new Map(resources.map((resource) => [resource.name, resource]));
    for (const resource of resources) this.#sent.set(resource.name, resource);
    for (const name of [...sent.keys(), ...removed]) {
      this.#owed.delete(name);
      this.#forced.delete(name);
    }
    this.#owesWildcard = false;
    this.#outstanding = { nonce, sent, removed: [...removed] };
    return { typeUrl: this.typeUrl, nonce, resources, removed: [...removed] };
  }

  #candidates(): Iterable<string> {
    // One suspect at a time, and nothing else beside it.
    for (const name of this.#alone) {
      const target = this.#target(name);
      if (target === undefined || !this.#interested(name) || this.#running.get(name) === target.version) {
        this.#alone.delete(name);
      } else return [name];
    }
    const names = new Set([...this.#latest.keys(), ...this.#accepted.keys()]);
    return [...names].filter((name) => this.#interested(name));
  }

  // --- Upstream ---

  detachUpstream(): void {
    this.#told = undefined;
    this.#toldWildcard = false;
    this.#pushes = [];
  }

  /** Takes a response in. False when upstream floods us and the stream should be reset. */
  fromUpstream(response: UpstreamResponse): boolean {
    this.#answered = true;
    const versions = new Map<string, string>();
    for (const resource of response.resources) {
      const { name, version } = resource;
      if (!this.#wanted(name)) continue;
      const known = this.#latest.get(name)?.version === version;
      if (known && this.#attached && this.#running.get(name) === version) this.#forced.add(name);
      this.#latest.set(name, resource);
      this.#absent.delete(name);
      this.#rejected.delete(name);
      this.#refused.delete(name);
      const running = this.#running.get(name);
      if (running !== undefined) this.#acceptIfHeld(name, running);
      versions.set(name, version);
    }
    for (const name of response.removed) {
      if (!this.#wanted(name)) continue;
      this.#latest.delete(name);
      this.#rejected.delete(name);
      this.#forced.delete(name);
      this.#absent.add(name);
    }
    if (this.#attached) this.#dropSettledRemovals();
    this.#pushes.push({ nonce: response.nonce, versions, removed: response.removed });
    return this.#pushes.length <= MAX_UNANSWERED;
  }

  /** Removals that this Envoy need not be told of, because it runs nothing under the name. */
  #dropSettledRemovals(): void {
    for (const name of this.#absent) {
      if (this.#running.has(name) || this.#inFlight(name)) continue;
      this.#accepted.delete(name);
      this.#sent.delete(name);
      // Under a named subscription it is the answer to give again; under a wildcard it has served its purpose.
      if (!this.#names.has(name)) this.#absent.delete(name);
    }
  }

  #wanted(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  #acceptIfHeld(name: string, version: string): void {
    const held = [this.#latest.get(name), this.#sent.get(name)].find((candidate) => candidate?.version === version);
    if (held !== undefined) this.#accepted.set(name, held);
  }

  /** The next request for upstream: a first subscription, a change of it, or an answer. Call until undefined. */
  nextForUpstream(): UpstreamRequest | undefined {
    return this.#told === undefined
      ? this.#openUpstream()
      : (this.#changeSubscription(this.#told) ?? this.#answerPush());
  }

  #openUpstream(): UpstreamRequest | undefined {
    if (!this.#wildcard && this.#names.size === 0) return undefined;
    this.#told = new Set(this.#names);
    this.#toldWildcard = this.#wildcard;
    const initialVersions: Record<string, string> = {};
    // What may be under way to Envoy is among them: upstream must say what has become of it.
    for (const name of new Set([...this.#accepted.keys(), ...this.#running.keys(), ...this.#latest.keys()])) {
      if (!this.#wanted(name)) continue;
      const accepted = this.#accepted.get(name);
      const vouched = accepted !== undefined && this.#latest.get(name)?.version === accepted.version;
      initialVersions[name] = vouched ? accepted.version : UNKNOWN_VERSION;
    }
    const names = [...this.#names];
    const subscribe = this.#wildcard && names.length > 0 ? [WILDCARD, ...names] : names;
    return { ...this.#emptyRequest(), subscribe, initialVersions };
  }

  #changeSubscription(told: Set<string>): UpstreamRequest | undefined {
    const subscribe = [...this.#names].filter((name) => !told.has(name));
    const unsubscribe = [...told].filter((name) => !this.#names.has(name));
    if (this.#wildcard && !this.#toldWildcard) subscribe.push(WILDCARD);
    if (!this.#wildcard && this.#toldWildcard) unsubscribe.push(WILDCARD);
    if (subscribe.length === 0 && unsubscribe.length === 0) return undefined;
    this.#told = new Set(this.#names);
    this.#toldWildcard = this.#wildcard;
    return { ...this.#emptyRequest(), subscribe, unsubscribe };
  }

  #answerPush(): UpstreamRequest | undefined {
    const push = this.#pushes[0];
    if (push === undefined) return undefined;
    const errors: string[] = [];
    for (const [name, version] of push.versions) {
      const verdict = this.#verdict(name, version);
      if (verdict === "open") return undefined;
      if (verdict !== "settled") errors.push(verdict.message);
    }
    if (push.removed.some((name) => this.#inFlight(name) || (this.#absent.has(name) && this.#running.has(name)))) {
      return undefined;
    }
    this.#pushes.shift();
    const error = errors.length === 0 ? undefined : composeError(errors).slice(0, MAX_ERROR_LENGTH);
    return { ...this.#emptyRequest(), responseNonce: push.nonce, error };
  }

  #inFlight(name: string): boolean {
    const outstanding = this.#outstanding;
    return (
      (this.#forced.has(name) && this.#target(name) !== undefined) ||
      this.#alone.has(name) ||
      (outstanding !== undefined && (outstanding.sent.has(name) || outstanding.removed.includes(name)))
    );
  }

  #verdict(name: string, version: string): "open" | "settled" | Rejection {
    if (!this.#wanted(name)) return "settled";
    if (this.#inFlight(name)) return "open";
    // Superseded: the push that brought the newer version is answered for it.
    if (this.#latest.get(name)?.version !== version) return "settled";
    if (this.#running.get(name) === version) return "settled";
    return this.#rejected.get(name) ?? "open";
  }

  #emptyRequest(): UpstreamRequest {
    return {
      typeUrl: this.typeUrl,
      subscribe: [],
      unsubscribe: [],
      initialVersions: {},
      responseNonce: "",
      error: undefined,
    };
  }
}
