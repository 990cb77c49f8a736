// Whether a checkpoint goes on from what was witnessed of its ledger.
import type { CheckpointClaims } from "@hedgerow/ledger";
import type { NodeId } from "../snapshot/snapshot.ts";

/** What a witness knows of a ledger. */
export interface Witnessed {
  readonly nodeId: NodeId;
  readonly policy: string;
  readonly closed: boolean;
  readonly seq: number;
  readonly head: string;
  /** Of the last checkpoint. */
  readonly digest: string;
}

/** A checkpoint that verified, and who sent it. */
export interface Sent {
  readonly nodeId: NodeId;
  readonly spiffeId: string;
  readonly policy: string;
  readonly claims: CheckpointClaims;
  readonly digest: string;
  readonly compact: string;
}

export type Judgement =
  /** To be kept, and countersigned. */
  | { readonly kind: "goes-on" }
  /** It was countersigned before. */
  | { readonly kind: "same" }
  /** It does not name the last one, which its writer may not know to be witnessed. */
  | { readonly kind: "behind" }
  | { readonly kind: "not-yours" }
  | { readonly kind: "contradicts"; readonly problem: string };

/**
 * Whether what another replica witnessed takes the place of what is known here. Of two workloads that claim one ledger it is
 * whose that began it; else the one that has come further.
 */
export function supersedes(
  theirs: Witnessed & { readonly openedAtMs: number },
  ours: (Witnessed & { readonly openedAtMs: number }) | undefined,
): boolean {
  if (ours === undefined) return true;
  if (theirs.nodeId !== ours.nodeId) return theirs.openedAtMs < ours.openedAtMs;
  if (theirs.closed !== ours.closed) return theirs.closed;
  return theirs.seq > ours.seq;
}

const contradicts = (problem: string) => ({ kind: "contradicts", problem }) as const;

export function judge(last: Witnessed | undefined, { nodeId, policy, claims, digest }: Sent): Judgement {
  if (last === undefined) return { kind: "goes-on" };
  if (last.nodeId !== nodeId) return { kind: "not-yours" };
  if (last.digest === digest) return { kind: "same" };
  if (last.closed) return contradicts(`ledger was closed at seq ${last.seq}`);
  if (last.policy !== policy) return contradicts(`ledger is of the policy ${last.policy}`);
  if (claims.seq < last.seq) return contradicts(`seq ${claims.seq} is before ${last.seq}, which was witnessed`);
  if (claims.seq === last.seq && claims.head !== last.head)
    return contradicts(`another head was witnessed at seq ${last.seq}`);
  return claims.previous === last.digest || claims.witnessed === last.digest ? { kind: "goes-on" } : { kind: "behind" };
}
