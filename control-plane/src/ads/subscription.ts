import { CLUSTER_TYPE_URL, LISTENER_TYPE_URL } from "@hedgerow/proto";
import type { AdsRequest } from "./request.ts";

/**
 * Which resources of one type a client wants (xDS protocol, "How the client specifies what resources to return").
 * A wildcard and names may stand together.
 */
export interface Subscription {
  wildcard: boolean;
  readonly names: Set<string>;
}

export interface SubscriptionChange {
  /** Names that must be answered whatever the client holds: it may have forgotten them. */
  readonly asked: readonly string[];
  /** A name of which the client keeps nothing any more. */
  dropped(name: string): boolean;
  /** The wildcard was not there before, so even "there are none" is an answer that the client waits for. */
  readonly wildcardAdded: boolean;
}

const WILDCARD = "*";

// Legacy wildcard: only these two types, and only in a type's first request. A first request without names for another
// type comes from a client that dropped every name before it reconnected; it wants nothing.
const LEGACY_WILDCARD_TYPES: readonly string[] = [CLUSTER_TYPE_URL, LISTENER_TYPE_URL];

/** Applies one request to a subscription. A name both subscribed and unsubscribed stays subscribed. */
export function subscribe(subscription: Subscription, request: AdsRequest, first: boolean): SubscriptionChange {
  const { names } = subscription;
  const hadWildcard = subscription.wildcard;
  const asked: string[] = [];
  const unsubscribed = new Set<string>();

  if (first && request.subscribe.length === 0 && LEGACY_WILDCARD_TYPES.includes(request.typeUrl)) {
    subscription.wildcard = true;
  }
  for (const name of request.unsubscribe) {
    if (name === WILDCARD) subscription.wildcard = false;
    else if (names.delete(name)) unsubscribed.add(name);
  }
  for (const name of request.subscribe) {
    if (name === WILDCARD) {
      subscription.wildcard = true;
    } else {
      names.add(name);
      unsubscribed.delete(name);
      asked.push(name);
    }
  }
  const { wildcard } = subscription;
  // A client cannot know whether a name that it no longer asks for is part of its wildcard: it waits to be told.
  if (wildcard) asked.push(...unsubscribed);
  return {
    asked,
    dropped: wildcard ? () => false : (name) => unsubscribed.has(name) || (hadWildcard && !names.has(name)),
    wildcardAdded: wildcard && !hadWildcard,
  };
}
