import type { DeltaRequest, DeltaResponse, HeldResource } from "./delta-messages.ts";

/** What a response says of the one resource; `ticket` is to be given back with the answer. */
export type OwnChange =
  | { readonly kind: "set"; readonly ticket: number; readonly resource: HeldResource }
  | { readonly kind: "removed"; readonly ticket: number }
  | { readonly kind: "nothing"; readonly ticket: number };

/** A type of which the agent itself takes one resource. It is acknowledged once the agent has put it in force. */
export class OwnType {
  readonly typeUrl: string;
  readonly #name: string;
  /** In force. */
  #version: string | undefined;
  #opened = false;
  #nonce = "";
  /** Of the response that waits for its answer; tickets, since streams may repeat each other's nonces. */
  #open: number | undefined;
  #tickets = 0;
  #toSend: DeltaRequest[] = [];

  constructor(typeUrl: string, name: string, version?: string) {
    this.typeUrl = typeUrl;
    this.#name = name;
    this.#version = version;
  }

  /** The stream is gone, and with it whatever waited for an answer. */
  detach(): void {
    this.#opened = false;
    this.#open = undefined;
    this.#toSend = [];
  }

  receive(response: DeltaResponse): OwnChange {
    this.#tickets += 1;
    const ticket = this.#tickets;
    this.#open = ticket;
    this.#nonce = response.nonce;
    const resource = response.resources.find(({ name }) => name === this.#name);
    if (resource !== undefined) return { kind: "set", ticket, resource };
    return { kind: response.removed.includes(this.#name) ? "removed" : "nothing", ticket };
  }

  /** This version is in force now, whatever asked for it; undefined: none. */
  use(version: string | undefined): void {
    this.#version = version;
  }

  /** Acknowledges, or refuses with these words; nothing where the stream of that ticket has ended. */
  answer(ticket: number, error: string | undefined): void {
    if (ticket !== this.#open) return;
    this.#open = undefined;
    this.#toSend.push({ ...this.#request(), responseNonce: this.#nonce, error });
  }

  /** What is due to upstream, which is connected. */
  take(): readonly DeltaRequest[] {
    const due = this.#toSend;
    this.#toSend = [];
    if (this.#opened) return due;
    this.#opened = true;
    const initialVersions = this.#version === undefined ? {} : { [this.#name]: this.#version };
    return [{ ...this.#request(), subscribe: [this.#name], initialVersions }, ...due];
  }

  #request(): DeltaRequest {
    const { typeUrl } = this;
    return { typeUrl, subscribe: [], unsubscribe: [], initialVersions: {}, responseNonce: "", error: undefined };
  }
}
