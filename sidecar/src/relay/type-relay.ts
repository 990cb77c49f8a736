import { ENDPOINT_TYPE_URL } from "@hedgerow/proto";
import type { DeltaRequest, DeltaResponse } from "./delta-messages.ts";
import { type EnvoyAnswer, EnvoySide } from "./envoy-side.ts";
import { TypeState } from "./type-state.ts";
import { UpstreamSide } from "./upstream-side.ts";

/**
 * One type URL of the relay. It compares states; it does not forward messages: what upstream and Envoy say is noted in the
 * TypeState, and each side is sent what follows from it. So an Envoy that restarts, an agent that restarts and a control
 * plane that comes back are all the same comparison.
 */
export class TypeRelay {
  readonly typeUrl: string;
  readonly #state = new TypeState();
  readonly #envoy: EnvoySide = new EnvoySide(this.#state);
  readonly #upstream: UpstreamSide;

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
    this.#upstream = new UpstreamSide(typeUrl, this.#state, this.#envoy);
  }

  /** Resources that Envoy has acknowledged. */
  get resourceCount(): number {
    return this.#state.accepted.size;
  }

  detachEnvoy(): void {
    this.#envoy.detach();
  }

  fromEnvoy(request: DeltaRequest): EnvoyAnswer {
    const { first, answer } = this.#envoy.receive(request);
    // Envoy brings the versions of its assignments, but a cluster that was warming when the stream broke still waits.
    if (first && this.typeUrl === ENDPOINT_TYPE_URL) this.forceResend(this.#state.running.keys());
    return answer;
  }

  /** A changed cluster stays warming until its assignment is sent again, even one that Envoy has (Envoy #47302). */
  forceResend(names: Iterable<string>): void {
    this.#envoy.forceResend(names);
  }

  dropStaleSubscriptions(): void {
    this.#envoy.dropStaleSubscriptions();
  }

  /** The next response for Envoy, if one is due. */
  nextForEnvoy(nonce: string, upstreamConnected: boolean): DeltaResponse | undefined {
    const response = this.#envoy.next(nonce, upstreamConnected);
    return response && { typeUrl: this.typeUrl, ...response };
  }

  detachUpstream(): void {
    this.#upstream.detach();
  }

  /** Takes a response in. False when upstream floods us and the stream should be reset. */
  fromUpstream(response: DeltaResponse): boolean {
    return this.#upstream.receive(response);
  }

  /** The next request for upstream, if one is due. Call until undefined. */
  nextForUpstream(): DeltaRequest | undefined {
    return this.#upstream.next();
  }
}
