// Which Workloads other replicas know to be ready. Time is passed in (ms of a clock that only goes forward).
import type { NodeId } from "../snapshot/snapshot.ts";
import type { ReplicaReport } from "../status/replicas.ts";
import { GRACE_MS } from "./tracker.ts";

interface Entry {
  readonly replica: string;
  /** When it is forgotten; undefined while its replica is heard. */
  readonly untilMs: number | undefined;
}

/** A replica that falls silent is believed for the grace of an agent that does: its agents come to another meanwhile. */
export class ReadyElsewhere {
  #entries = new Map<NodeId, Entry>();
  #ready: ReadonlySet<NodeId> = new Set();

  get ready(): ReadonlySet<NodeId> {
    return this.#ready;
  }

  /** Takes what the replicas that can be heard say now, and forgets what is too old. True where the set changed. */
  update(reports: readonly ReplicaReport[], nowMs: number): boolean {
    const entries = new Map<NodeId, Entry>();
    const heard = new Set(reports.map(({ replica }) => replica));
    for (const [nodeId, { replica, untilMs = nowMs + GRACE_MS }] of this.#entries)
      if (!heard.has(replica) && untilMs > nowMs) entries.set(nodeId, { replica, untilMs });
    for (const { replica, proxies } of reports)
      for (const { nodeId, ready } of proxies) if (ready) entries.set(nodeId, { replica, untilMs: undefined });
    this.#entries = entries;
    const isSame = entries.size === this.#ready.size && [...entries.keys()].every((nodeId) => this.#ready.has(nodeId));
    if (!isSame) this.#ready = new Set(entries.keys());
    return !isSame;
  }

  /** When `update` next has something to forget. */
  nextExpiryMs(): number | undefined {
    const times = [...this.#entries.values()].flatMap(({ untilMs }) => untilMs ?? []);
    return times.length === 0 ? undefined : times.reduce((soonest, time) => Math.min(soonest, time));
  }
}
