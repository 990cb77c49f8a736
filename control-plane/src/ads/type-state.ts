import { changedNames } from "../snapshot/layers.ts";
import type { Resource } from "../snapshot/snapshot.ts";
import { namesIn } from "./blame.ts";
import type { Behind, ProxyRejection, ProxyTypeState } from "./proxy-state.ts";
import type { Subscription } from "./subscription.ts";

/** What a client holds under one name, as far as it has said. */
export interface Held {
  /** Undefined when no version was ever acknowledged. */
  readonly acknowledged: string | undefined;
  /** The content of that version; undefined when it came from `initial_resource_versions` and is none that we know. */
  readonly resource: Resource | undefined;
  /**
   * False after a NACK of a response that carried this name without being to blame: Envoy applies the rest of such a
   * response in part, so what it runs is not known until the name is sent again.
   */
  readonly settled: boolean;
  /** While unsettled: the content that it may run instead. Neither settled nor this: it may have removed the name. */
  readonly maybe?: Resource;
}

/** One type's side of one stream. Changed only by the functions below, by `send` in session.ts and, of `pending`, by order.ts. */
export interface TypeState {
  readonly subscription: Subscription;
  readonly held: Map<string, Held>;
  /** The one response that waits for its ACK or NACK. */
  inFlight: InFlight | undefined;
  /** Names to be answered whatever the client holds. */
  readonly owed: Set<string>;
  /** A wildcard that has had no answer yet. */
  answerOwed: boolean;
  readonly rejected: Map<string, { readonly version: string; readonly message: string }>;
  /** Names of a NACK that blamed nobody: sent again one by one, so that one bad resource does not hold up the others. */
  readonly suspects: Set<string>;
  /** Names whose removal alone was refused: not asked again. */
  readonly refusedRemovals: Set<string>;
  /**
   * Names that something may have to be sent for; undefined: any may. It keeps the cost of an edit to what the edit concerns,
   * however much the proxy holds.
   */
  pending: Set<string> | undefined;
  /** Of a subscription by name: what of a snapshot it leaves out. */
  unsubscribed: Behind | undefined;
  acknowledgedAtMs: number | undefined;
  lastRejection: { readonly message: string; readonly atMs: number } | undefined;
  /** Made when asked for, forgotten when something changes. */
  view: TypeView | undefined;
}

export interface InFlight {
  readonly nonce: string;
  /** Resources in the response, those that the client unsubscribed from since included. */
  readonly sent: number;
  readonly resources: Map<string, Resource>;
  readonly removed: Set<string>;
}

export function newTypeState(): TypeState {
  return {
    subscription: { wildcard: false, names: new Set() },
    held: new Map(),
    inFlight: undefined,
    owed: new Set(),
    answerOwed: false,
    rejected: new Map(),
    suspects: new Set(),
    refusedRemovals: new Set(),
    pending: undefined,
    unsubscribed: undefined,
    acknowledgedAtMs: undefined,
    lastRejection: undefined,
    view: undefined,
  };
}

/** The response in flight was accepted. */
export function acknowledge(state: TypeState, { resources, removed }: InFlight, nowMs: number): void {
  for (const [name, resource] of resources) {
    state.held.set(name, { acknowledged: resource.version, resource, settled: true });
    state.rejected.delete(name);
    state.suspects.delete(name);
  }
  for (const name of removed) state.held.delete(name);
  state.inFlight = undefined;
  state.acknowledgedAtMs = nowMs;
  state.view = undefined;
}

/** The response in flight was refused; returns the names to blame, empty when that cannot be told yet. */
export function reject(
  state: TypeState,
  { sent, resources, removed }: InFlight,
  message: string,
  nowMs: number,
): readonly string[] {
  const { held, rejected, suspects, refusedRemovals } = state;
  const blamed = sent === 1 ? [...resources.keys()] : namesIn(message, resources.keys());
  for (const [name, resource] of resources) {
    const before = held.get(name) ?? { acknowledged: undefined, resource: undefined };
    if (!blamed.includes(name)) {
      held.set(name, { ...before, settled: false, maybe: resource });
      if (blamed.length === 0) suspects.add(name);
      continue;
    }
    rejected.set(name, { version: resource.version, message });
    suspects.delete(name);
    // What was refused now was not applied the first time either.
    if (held.get(name)?.maybe?.version === resource.version) settleAsBefore(held, name, before);
  }
  for (const name of removed) {
    const before = held.get(name);
    // One that was not held was the answer to a subscription; the client still waits for it.
    if (before === undefined) state.owed.add(name);
    else held.set(name, { acknowledged: before.acknowledged, resource: before.resource, settled: false });
    if (sent === 0) refusedRemovals.add(name);
  }
  state.inFlight = undefined;
  state.pending = undefined;
  state.lastRejection = { message, atMs: nowMs };
  state.view = undefined;
  return blamed;
}

function settleAsBefore(
  held: Map<string, Held>,
  name: string,
  { acknowledged, resource }: Pick<Held, "acknowledged" | "resource">,
): void {
  if (acknowledged === undefined) held.delete(name);
  else held.set(name, { acknowledged, resource, settled: true });
}

/** Whether the client surely runs some version under this name, and will go on doing so. */
export function holds(state: TypeState | undefined, name: string): boolean {
  const held = state?.held.get(name);
  if (held?.acknowledged === undefined || state?.inFlight?.removed.has(name) === true) return false;
  return held.settled || held.maybe !== undefined;
}

/** Whether the client surely runs this version under this name. */
export function holdsVersion(state: TypeState | undefined, name: string, version: string): boolean {
  const held = state?.held.get(name);
  return held?.settled === true && held.acknowledged === version && state?.rejected.get(name)?.version !== version;
}

/** The client keeps nothing under this name any more. */
export function forget(state: TypeState, name: string): void {
  state.held.delete(name);
  state.owed.delete(name);
  state.rejected.delete(name);
  state.suspects.delete(name);
  state.refusedRemovals.delete(name);
  state.inFlight?.resources.delete(name);
  state.inFlight?.removed.delete(name);
  state.pending = undefined;
  state.view = undefined;
}

/** The client wants other names than before. */
export function resubscribed(state: TypeState): void {
  state.pending = undefined;
  state.unsubscribed = undefined;
}

/**
 * Forgets refusals of what the newest snapshot no longer asks for, and recognises versions that the client brought. `names` are
 * those that are wanted otherwise than before.
 */
export function refresh(state: TypeState, wanted: ReadonlyMap<string, Resource>, names: Iterable<string>): void {
  for (const name of names) {
    const held = state.held.get(name);
    const resource = wanted.get(name);
    if (held?.acknowledged !== undefined && held.resource === undefined && held.acknowledged === resource?.version) {
      state.held.set(name, { ...held, resource });
    }
    state.pending?.add(name);
  }
  for (const [name, { version }] of state.rejected) {
    if (wanted.get(name)?.version === version) continue;
    state.rejected.delete(name);
    state.view = undefined;
  }
  for (const name of state.suspects) if (!wanted.has(name)) state.suspects.delete(name);
  for (const name of state.refusedRemovals) if (wanted.has(name)) state.refusedRemovals.delete(name);
}

export function typeView(state: TypeState, wanted: ReadonlyMap<string, Resource> | undefined): ProxyTypeState {
  state.view ??= new TypeView(state);
  if (wanted !== undefined) state.view.behind = behindOf(state, wanted);
  return state.view;
}

class TypeView implements ProxyTypeState {
  readonly acknowledgedAtMs: number | undefined;
  readonly rejected: ProxyRejection | undefined;
  behind: Behind | undefined;
  readonly #held: TypeState["held"];
  #acknowledged: ReadonlyMap<string, string> | undefined;
  #acknowledgedCount: number | undefined;

  constructor(state: TypeState) {
    this.acknowledgedAtMs = state.acknowledgedAtMs;
    this.rejected = rejection(state);
    this.#held = state.held;
  }

  get acknowledged(): ReadonlyMap<string, string> {
    this.#acknowledged ??= new Map(
      [...this.#held].flatMap(([name, { acknowledged }]) => (acknowledged === undefined ? [] : [[name, acknowledged]])),
    );
    return this.#acknowledged;
  }

  get acknowledgedCount(): number {
    if (this.#acknowledgedCount === undefined) {
      let count = 0;
      for (const { acknowledged } of this.#held.values()) if (acknowledged !== undefined) count += 1;
      this.#acknowledgedCount = count;
    }
    return this.#acknowledgedCount;
  }
}

function behindOf(state: TypeState, wanted: ReadonlyMap<string, Resource>): Behind | undefined {
  if (state.pending === undefined) return undefined;
  const names = new Set<string>();
  const { wildcard } = state.subscription;
  for (const candidates of [state.pending, wildcard ? [] : unsubscribedNames(state, wanted)])
    for (const name of candidates) {
      const resource = wanted.get(name);
      if (resource !== undefined && state.held.get(name)?.acknowledged !== resource.version) names.add(name);
    }
  for (const [name, { version }] of state.rejected) if (wanted.get(name)?.version === version) names.add(name);
  return { wanted, names };
}

function unsubscribedNames(state: TypeState, wanted: ReadonlyMap<string, Resource>): ReadonlySet<string> {
  const before = state.unsubscribed;
  if (before?.wanted === wanted) return before.names;
  const names = new Set(before?.names);
  for (const name of before === undefined ? wanted.keys() : changedNames(before.wanted, wanted))
    if (wanted.has(name) && !state.subscription.names.has(name)) names.add(name);
    else names.delete(name);
  state.unsubscribed = { wanted, names };
  return names;
}

function rejection({ rejected, lastRejection }: TypeState): ProxyRejection | undefined {
  if (rejected.size === 0 || lastRejection === undefined) return undefined;
  return {
    message: lastRejection.message,
    resources: new Map([...rejected].map(([name, { version }]) => [name, version])),
    messages: new Map([...rejected].map(([name, { message }]) => [name, message])),
    atMs: lastRejection.atMs,
  };
}
