import { checkProxy, type Inconsistency } from "./consistency.ts";
import type { MeshSnapshot, NodeId, ProxySnapshot } from "./snapshot.ts";

/** Why there is no snapshot for a proxy: a mistake of ours, whichever. */
export type Refusal =
  | { readonly kind: "inconsistent"; readonly nodeId: NodeId; readonly inconsistencies: readonly Inconsistency[] }
  | { readonly kind: "failed"; readonly nodeId: NodeId; readonly error: unknown };

/**
 * Gives out what is consistent alone. A proxy's snapshot is proved when it is first asked for, and what it shares with others,
 * with the first of them.
 */
export class SnapshotChecker {
  readonly #refused: (refusal: Refusal) => void;
  readonly #fit = new WeakMap<ProxySnapshot, boolean>();

  /** `refused` is told once of each proxy's snapshot that is not given out. */
  constructor(refused: (refusal: Refusal) => void) {
    this.#refused = refused;
  }

  check(snapshot: MeshSnapshot): MeshSnapshot {
    return new CheckedSnapshot(snapshot, (proxy) => this.#isFit(proxy), this.#refused);
  }

  #isFit(proxy: ProxySnapshot): boolean {
    let isFit = this.#fit.get(proxy);
    if (isFit === undefined) {
      const inconsistencies = checkProxy(proxy);
      isFit = inconsistencies.length === 0;
      this.#fit.set(proxy, isFit);
      if (!isFit) this.#refused({ kind: "inconsistent", nodeId: proxy.nodeId, inconsistencies });
    }
    return isFit;
  }
}

class CheckedSnapshot implements MeshSnapshot {
  readonly #snapshot: MeshSnapshot;
  readonly #isFit: (proxy: ProxySnapshot) => boolean;
  readonly #refused: (refusal: Refusal) => void;
  readonly #failed = new Set<NodeId>();

  constructor(snapshot: MeshSnapshot, isFit: (proxy: ProxySnapshot) => boolean, refused: (refusal: Refusal) => void) {
    this.#snapshot = snapshot;
    this.#isFit = isFit;
    this.#refused = refused;
  }

  get size(): number {
    return this.#snapshot.size;
  }

  has(nodeId: NodeId): boolean {
    return this.#snapshot.has(nodeId);
  }

  get(nodeId: NodeId): ProxySnapshot | undefined {
    if (this.#failed.has(nodeId)) return undefined;
    try {
      const proxy = this.#snapshot.get(nodeId);
      return proxy !== undefined && this.#isFit(proxy) ? proxy : undefined;
    } catch (error) {
      // One proxy's translation failed: the others must have theirs.
      this.#failed.add(nodeId);
      this.#refused({ kind: "failed", nodeId, error });
      return undefined;
    }
  }

  keys(): Iterable<NodeId> {
    return this.#snapshot.keys();
  }
}
