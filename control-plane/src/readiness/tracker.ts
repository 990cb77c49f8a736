// Which workloads take traffic. Time is passed in (ms of a clock that only goes forward).
import type { NodeId } from "../snapshot/snapshot.ts";

/** An agent whose report call ended without a "not ready" keeps its endpoint this long. */
export const GRACE_MS = 15_000;
/** After a start of the control plane, agents have this long to report again: longer, since all must reconnect at once. */
export const RESTORED_GRACE_MS = 30_000;

export interface Report {
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reason: string;
  readonly agentVersion: string;
}

interface Entry extends Report {
  /** The report call that speaks for the workload; undefined once it has ended. */
  readonly call: number | undefined;
  /** When an entry without a call is forgotten. */
  readonly untilMs: number | undefined;
}

/** `report` and `expire` return whether the set of ready workloads changed. */
export class ReadinessTracker {
  readonly #entries = new Map<NodeId, Entry>();

  /** The ready set of before a restart: still ready, for a while. */
  restore(nodeIds: Iterable<NodeId>, nowMs: number): void {
    for (const nodeId of nodeIds)
      this.#entries.set(nodeId, {
        ready: true,
        reason: "",
        agentVersion: "",
        call: undefined,
        untilMs: nowMs + RESTORED_GRACE_MS,
      });
  }

  /** A report on the call with this number. Calls are numbered in the order in which they began: an older one is ignored. */
  report(nodeId: NodeId, call: number, report: Report): boolean {
    const before = this.#entries.get(nodeId);
    if (before?.call !== undefined && before.call > call) return false;
    this.#entries.set(nodeId, { ...report, call, untilMs: undefined });
    return report.ready !== (before?.ready ?? false);
  }

  /** The end of a call, however it ended: grace begins. That of a call which a newer one replaced changes nothing. */
  end(nodeId: NodeId, call: number, nowMs: number): void {
    const entry = this.#entries.get(nodeId);
    if (entry?.call !== call) return;
    if (entry.ready) this.#entries.set(nodeId, { ...entry, call: undefined, untilMs: nowMs + GRACE_MS });
    else this.#entries.delete(nodeId);
  }

  /** Forgets those whose grace is over. */
  expire(nowMs: number): boolean {
    const before = this.#entries.size;
    for (const [nodeId, { untilMs }] of this.#entries)
      if (untilMs !== undefined && untilMs <= nowMs) this.#entries.delete(nodeId);
    // Only the ready have a grace.
    return this.#entries.size < before;
  }

  /** When `expire` next has something to do. */
  nextExpiryMs(): number | undefined {
    const times = [...this.#entries.values()].flatMap(({ untilMs }) => untilMs ?? []);
    return times.length === 0 ? undefined : times.reduce((earliest, time) => Math.min(earliest, time));
  }

  readyNodes(): ReadonlySet<NodeId> {
    return new Set([...this.#entries].filter(([, { ready }]) => ready).map(([nodeId]) => nodeId));
  }

  /** What a workload's agent said last; undefined when no agent reports for it. */
  of(nodeId: NodeId): Report | undefined {
    return this.#entries.get(nodeId);
  }
}
