import { readCheckpoint, WITNESS_TYPE, type WitnessClaims } from "@hedgerow/ledger";
import type { Witness } from "@hedgerow/ledger/store";
import type { Authority } from "../ca/authority.ts";
import { trustDomainId } from "../ca/names.ts";
import type { NodeId } from "../snapshot/snapshot.ts";
import type { WitnessStore, WitnessStoreDeps } from "./store.ts";

const OWN_POLICY = "control-plane";

export function countersigner(authority: Authority): WitnessStoreDeps["countersign"] {
  return ({ claims: { ledger, seq, head }, digest }, nowMs) => {
    const claims: WitnessClaims = {
      iss: trustDomainId(authority.trustDomain),
      iat: Math.floor(nowMs / 1000),
      ledger,
      seq,
      head,
      checkpoint: digest,
    };
    return authority.signClaims(WITNESS_TYPE, claims);
  };
}

/** For the control plane's own ledger, without a call. */
export function ownWitness(authority: Authority, store: WitnessStore, nodeId: NodeId): Witness {
  return {
    certify: async (publicKey) => authority.issueOwnCheckpointKey(nodeId, publicKey),
    countersign: async (compact) => {
      const read = readCheckpoint(compact, authority.trustBundle);
      if (!read.ok) return { kind: "refused", problem: read.problem };
      const { claims, digest } = read.value;
      const taken = await store.take({ nodeId, spiffeId: claims.iss, policy: OWN_POLICY, claims, digest, compact });
      switch (taken.kind) {
        case "witnessed":
        case "behind":
          return taken;
        case "contradicts":
          return { kind: "refused", problem: taken.problem };
        case "not-yours":
          return { kind: "refused", problem: "the ledger is another's" };
        case "full":
          throw new Error("the witness knows as many ledgers as it can");
      }
    },
  };
}
