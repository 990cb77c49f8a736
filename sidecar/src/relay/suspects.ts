import type { HeldResource } from "./delta-messages.ts";
import { entryOf, namedIn } from "./rejection.ts";

/** Of one NACK, in bytes or fewer. Upstream cuts at 1 KiB for people; this bounds what we keep. */
const MAX_ERROR_LENGTH = 4096;

/** A version that Envoy refused, and its words. */
export interface Rejection {
  readonly version: string;
  readonly message: string;
}

/**
 * Which resources Envoy refuses. A NACK that names nobody puts everything that it answers under suspicion: each suspect is
 * tried again alone, so that one bad resource does not condemn those that it travelled with, and the control plane learns
 * which one it was.
 */
export class Suspects {
  /** Latest versions that an Envoy refused; upstream sending the name again is a reason to try again. */
  readonly #rejected = new Map<string, Rejection>();
  /** Names whose accepted version this Envoy refuses too. */
  readonly #refused = new Set<string>();
  readonly #alone = new Set<string>();

  get any(): boolean {
    return this.#alone.size > 0;
  }

  /** Still to be tried alone. */
  has(name: string): boolean {
    return this.#alone.has(name);
  }

  /** The next one to try; those that need no trial any more are let go. */
  next(needsTrial: (name: string) => boolean): string | undefined {
    for (const name of this.#alone) {
      if (needsTrial(name)) return name;
      this.#alone.delete(name);
    }
    return undefined;
  }

  rejectionOf(name: string): Rejection | undefined {
    return this.#rejected.get(name);
  }

  /** This Envoy refuses even what one before it accepted. */
  refusesAccepted(name: string): boolean {
    return this.#refused.has(name);
  }

  /** Takes in a NACK of what was sent. `accepted` is what an Envoy has acknowledged before. */
  refuse(sent: ReadonlyMap<string, HeldResource>, words: string, accepted: ReadonlyMap<string, HeldResource>): void {
    const wasAccepted = ({ name, version }: HeldResource) => accepted.get(name)?.version === version;
    const named = namedIn(words, new Set(sent.keys()));
    if (named.size === 0 && sent.size > 1) {
      const suspects = [...sent.values()].filter((resource) => !wasAccepted(resource));
      // None: an Envoy before this one accepted it all, this one does not.
      for (const { name } of suspects.length > 0 ? suspects : sent.values()) this.#alone.add(name);
      return;
    }
    for (const resource of sent.values()) {
      const { name, version } = resource;
      const entry = sent.size === 1 ? entryOf(words, name) : named.get(name);
      if (entry === undefined) continue;
      this.#alone.delete(name);
      if (wasAccepted(resource)) this.#refused.add(name);
      else this.#rejected.set(name, { version, message: entry.slice(0, MAX_ERROR_LENGTH) });
    }
  }

  /** Envoy acknowledged this version. */
  accept({ name, version }: HeldResource): void {
    this.#alone.delete(name);
    this.#refused.delete(name);
    if (this.#rejected.get(name)?.version === version) this.#rejected.delete(name);
  }

  /** Upstream sent the name again: whatever was refused is worth another try. */
  pardon(name: string): void {
    this.#rejected.delete(name);
    this.#refused.delete(name);
  }

  /** Upstream removed the name. */
  remove(name: string): void {
    this.#rejected.delete(name);
  }

  forget(name: string): void {
    this.#rejected.delete(name);
    this.#refused.delete(name);
    this.#alone.delete(name);
  }

  /** Another Envoy judges for itself. */
  envoyConnected(): void {
    this.#refused.clear();
  }

  envoyDisconnected(): void {
    this.#alone.clear();
  }
}
