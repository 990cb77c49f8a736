import type { DeltaDiscoveryRequest } from "@hedgerow/proto/envoy/service/discovery/v3/discovery";
import { cutText } from "../text.ts";

/** What a session needs of a DeltaDiscoveryRequest, within limits. */
export interface AdsRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Name → version of what the client holds; only in a type's first request. */
  readonly initialVersions: ReadonlyMap<string, string>;
  /** Of the response that this ACK or NACK answers; empty when it answers none. */
  readonly nonce: string;
  /** The client's words when this is a NACK, at most 1 KiB. */
  readonly error: string | undefined;
}

/** Names in one request, and names that one stream may track per type. */
export const MAX_NAMES = 10_000;
const MAX_NAME_CHARS = 1024;
const MAX_ERROR_BYTES = 1024;

/** Reads one request; an untrusted client's limits are checked here. */
export function readRequest(
  message: DeltaDiscoveryRequest,
): { readonly ok: true; readonly value: AdsRequest } | { readonly ok: false; readonly problem: string } {
  const versions = Object.entries(message.initialResourceVersions);
  const { resourceNamesSubscribe, resourceNamesUnsubscribe } = message;
  const count = resourceNamesSubscribe.length + resourceNamesUnsubscribe.length + versions.length;
  // A reconnecting client states each name twice: as a subscription and with its version.
  if (count > 2 * MAX_NAMES) return { ok: false, problem: `request has ${count} names, the limit is ${2 * MAX_NAMES}` };
  if (message.typeUrl === "") return { ok: false, problem: "request has no type_url" };
  const names = [message.typeUrl, ...resourceNamesSubscribe, ...resourceNamesUnsubscribe, ...versions.flat()];
  const longest = names.reduce((most, name) => Math.max(most, name.length), 0);
  if (longest > MAX_NAME_CHARS) {
    return { ok: false, problem: `name or version of ${longest} characters, the limit is ${MAX_NAME_CHARS}` };
  }
  return {
    ok: true,
    value: {
      typeUrl: message.typeUrl,
      subscribe: resourceNamesSubscribe,
      unsubscribe: resourceNamesUnsubscribe,
      initialVersions: new Map(versions),
      nonce: message.responseNonce,
      error: message.errorDetail && cutText(message.errorDetail.message, MAX_ERROR_BYTES),
    },
  };
}
