import type { DeltaRequest, DeltaResponse } from "./delta-messages.ts";
import type { EnvoySide } from "./envoy-side.ts";
import { composeError } from "./rejection.ts";
import type { Rejection } from "./suspects.ts";
import { type TypeState, WILDCARD } from "./type-state.ts";

/** Tells the control plane "I know this name but cannot vouch for its content": no content hash is empty. */
const UNKNOWN_VERSION = "";
/** A control plane keeps one push a type in flight; this many unanswered ones mean that it does not speak our protocol. */
const MAX_UNANSWERED = 32;
/** Of a NACK, in characters. */
const MAX_ERROR_LENGTH = 4096;

interface Push {
  readonly nonce: string;
  readonly versions: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
}

/** A subscription as upstream knows it. */
interface Told {
  readonly wildcard: boolean;
  readonly names: ReadonlySet<string>;
}

/** The stream to the control plane for one type: a response is answered once Envoy has settled everything in it. */
export class UpstreamSide {
  readonly #typeUrl: string;
  readonly #state: TypeState;
  readonly #envoy: EnvoySide;
  #pushes: Push[] = [];
  /** What upstream has been told of the subscription; undefined before the first request of a stream. */
  #told: Told | undefined;

  constructor(typeUrl: string, state: TypeState, envoy: EnvoySide) {
    this.#typeUrl = typeUrl;
    this.#state = state;
    this.#envoy = envoy;
  }

  detach(): void {
    this.#told = undefined;
    this.#pushes = [];
  }

  /** Takes a response in. False when upstream floods us and the stream should be reset. */
  receive(response: DeltaResponse): boolean {
    const { latest, absent, suspects, running } = this.#state;
    this.#state.answered = true;
    const versions = new Map<string, string>();
    for (const resource of response.resources) {
      const { name, version } = resource;
      if (!this.#state.wanted(name)) continue;
      this.#envoy.notePush(resource);
      latest.set(name, resource);
      absent.delete(name);
      suspects.pardon(name);
      const runs = running.get(name);
      if (runs !== undefined) this.#state.acceptIfHeld(name, runs);
      versions.set(name, version);
    }
    for (const name of response.removed) {
      if (!this.#state.wanted(name)) continue;
      this.#envoy.noteRemoval(name);
      latest.delete(name);
      suspects.remove(name);
      absent.add(name);
    }
    this.#envoy.dropSettledRemovals();
    this.#pushes.push({ nonce: response.nonce, versions, removed: response.removed });
    return this.#pushes.length <= MAX_UNANSWERED;
  }

  /** The next request for upstream: a first subscription, a change of it, or an answer. Call until undefined. */
  next(): DeltaRequest | undefined {
    return this.#told === undefined ? this.#open() : (this.#changeSubscription(this.#told) ?? this.#answer());
  }

  #open(): DeltaRequest | undefined {
    const { wildcard, names, accepted, running, latest } = this.#state;
    if (!wildcard && names.size === 0) return undefined;
    this.#told = { wildcard, names: new Set(names) };
    const initialVersions: Record<string, string> = {};
    // What may be under way to Envoy is among them: upstream must say what has become of it.
    for (const name of new Set([...accepted.keys(), ...running.keys(), ...latest.keys()])) {
      if (!this.#state.wanted(name)) continue;
      const version = accepted.get(name)?.version;
      const vouched = version !== undefined && latest.get(name)?.version === version;
      initialVersions[name] = vouched ? version : UNKNOWN_VERSION;
    }
    const subscribe = wildcard && names.size > 0 ? [WILDCARD, ...names] : [...names];
    return { ...this.#emptyRequest(), subscribe, initialVersions };
  }

  #changeSubscription(told: Told): DeltaRequest | undefined {
    const { wildcard, names } = this.#state;
    const subscribe = [...names].filter((name) => !told.names.has(name));
    const unsubscribe = [...told.names].filter((name) => !names.has(name));
    if (wildcard && !told.wildcard) subscribe.push(WILDCARD);
    if (!wildcard && told.wildcard) unsubscribe.push(WILDCARD);
    if (subscribe.length === 0 && unsubscribe.length === 0) return undefined;
    this.#told = { wildcard, names: new Set(names) };
    return { ...this.#emptyRequest(), subscribe, unsubscribe };
  }

  #answer(): DeltaRequest | undefined {
    const push = this.#pushes[0];
    if (push === undefined) return undefined;
    const errors: string[] = [];
    for (const [name, version] of push.versions) {
      const verdict = this.#verdict(name, version);
      if (verdict === "open") return undefined;
      if (verdict !== "settled") errors.push(verdict.message);
    }
    if (push.removed.some((name) => this.#removalIsOpen(name))) return undefined;
    this.#pushes.shift();
    const error = errors.length === 0 ? undefined : composeError(errors).slice(0, MAX_ERROR_LENGTH);
    return { ...this.#emptyRequest(), responseNonce: push.nonce, error };
  }

  #removalIsOpen(name: string): boolean {
    return this.#envoy.inFlight(name) || (this.#state.absent.has(name) && this.#state.running.has(name));
  }

  #verdict(name: string, version: string): "open" | "settled" | Rejection {
    if (!this.#state.wanted(name)) return "settled";
    if (this.#envoy.inFlight(name)) return "open";
    // Superseded: the push that brought the newer version is answered for it.
    if (this.#state.latest.get(name)?.version !== version) return "settled";
    if (this.#state.running.get(name) === version) return "settled";
    return this.#state.suspects.rejectionOf(name) ?? "open";
  }

  #emptyRequest(): DeltaRequest {
    return {
      typeUrl: this.#typeUrl,
      subscribe: [],
      unsubscribe: [],
      initialVersions: {},
      responseNonce: "",
      error: undefined,
    };
  }
}
