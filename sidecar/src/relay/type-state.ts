import type { HeldResource } from "./delta-messages.ts";
import { Suspects } from "./suspects.ts";

export const WILDCARD = "*";

/**
 * What the relay knows of the resources of one type, whoever said it; both sides read and write it. Upstream's words make
 * `latest` and `absent`; Envoy's acknowledgements make `running` (this Envoy) and `accepted` (proven good, kept for the
 * next Envoy). What Envoy wants is kept while it is away.
 */
export class TypeState {
  wildcard: boolean = false;
  readonly names: Set<string> = new Set();

  readonly latest: Map<string, HeldResource> = new Map();
  /** Names that upstream said do not exist: to be removed from Envoy, or to answer a subscription with. */
  readonly absent: Set<string> = new Set();
  /** Upstream has ever answered for this type. */
  answered: boolean = false;

  readonly accepted: Map<string, HeldResource> = new Map();
  /** Last sent to an Envoy, answered or not: a stream may break between the answer and us. */
  readonly sent: Map<string, HeldResource> = new Map();
  /** Name → version that this Envoy runs, or that the last one ran. */
  running: Map<string, string> = new Map();
  readonly suspects: Suspects = new Suspects();

  wanted(name: string): boolean {
    return this.wildcard || this.names.has(name);
  }

  /** What this Envoy should run under a name; undefined when that is nothing or unknown. */
  target(name: string): HeldResource | undefined {
    if (this.absent.has(name)) return undefined;
    const latest = this.latest.get(name);
    const accepted = this.accepted.get(name);
    const tryLatest = latest !== undefined && this.suspects.rejectionOf(name)?.version !== latest.version;
    const candidate = tryLatest ? latest : accepted;
    return candidate === accepted && this.suspects.refusesAccepted(name) ? undefined : candidate;
  }

  /** Envoy runs this version: if it is one that we hold, it is proven good. */
  acceptIfHeld(name: string, version: string): void {
    const held = [this.latest.get(name), this.sent.get(name)].find((candidate) => candidate?.version === version);
    if (held !== undefined) this.accepted.set(name, held);
  }

  forget(name: string): void {
    for (const known of [this.latest, this.absent, this.accepted, this.sent, this.running]) known.delete(name);
    this.suspects.forget(name);
  }
}
