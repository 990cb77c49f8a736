import type { NodeId } from "../snapshot/snapshot.ts";
import type { ProxyState } from "./proxy-state.ts";

const KEEP_MS = 10 * 60_000;
const MAX_STATES = 10_000;

/** Last states of disconnected proxies: for 10 minutes, at most 10,000, the oldest go first. */
export class Departed {
  readonly #states = new Map<NodeId, { readonly state: ProxyState; readonly untilMs: number }>();

  add(state: ProxyState, nowMs: number): void {
    this.remove(state.nodeId);
    this.#states.set(state.nodeId, { state, untilMs: nowMs + KEEP_MS });
    const [oldest] = this.#states.keys();
    if (this.#states.size > MAX_STATES && oldest !== undefined) this.remove(oldest);
  }

  remove(nodeId: NodeId): void {
    this.#states.delete(nodeId);
  }

  list(nowMs: number): readonly ProxyState[] {
    for (const [nodeId, { untilMs }] of this.#states) {
      if (untilMs > nowMs) break;
      this.remove(nodeId);
    }
    return [...this.#states.values()].map(({ state }) => state);
  }
}
