// A line of the witness's files: a WitnessedLedger in proto3 JSON, its UUID first.
import { create, fromJsonString, toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { checkpointDigest, claimsOfCheckpoint } from "@hedgerow/ledger";
import { type WitnessedLedger, WitnessedLedgerSchema } from "@hedgerow/proto/hedgerow/witness/v1/witness";
import type { Sent, Witnessed } from "./judge.ts";

export interface Entry extends Witnessed {
  readonly openedAtMs: number;
  readonly message: WitnessedLedger;
}

export function nextEntry(before: Entry | undefined, sent: Sent, witness: string, nowMs: number): Entry {
  const { claims, nodeId, spiffeId, policy, compact, digest } = sent;
  const closed = claims.closed === true;
  const now = timestampFromMs(nowMs);
  const message = create(WitnessedLedgerSchema, {
    ledger: claims.ledger,
    nodeId,
    spiffeId,
    policy,
    openedAt: before?.message.openedAt ?? now,
    checkpoint: compact,
    witness,
    witnessedAt: now,
    closed,
  });
  const openedAtMs = before?.openedAtMs ?? nowMs;
  return { message, openedAtMs, nodeId, policy, closed, seq: claims.seq, head: claims.head, digest };
}

export function encodeEntry({ message }: Entry): string {
  return toJsonString(WitnessedLedgerSchema, message);
}

/** The UUID alone, without reading the rest. */
export function ledgerOfLine(line: Buffer): string | undefined {
  return /^\{"ledger":"([0-9a-f-]{36})"/.exec(line.toString("latin1", 0, 64))?.[1];
}

/** Undefined: its checkpoint is none, or another ledger's. */
export function entryOf(message: WitnessedLedger): Entry | undefined {
  const claims = claimsOfCheckpoint(message.checkpoint);
  if (claims?.ledger !== message.ledger) return undefined;
  const { nodeId, policy, closed, openedAt } = message;
  return {
    message,
    openedAtMs: openedAt === undefined ? 0 : timestampMs(openedAt),
    nodeId,
    policy,
    closed,
    seq: claims.seq,
    head: claims.head,
    digest: checkpointDigest(message.checkpoint),
  };
}

/** Undefined: no line of ours. */
export function decodeEntry(line: string): Entry | undefined {
  try {
    return entryOf(fromJsonString(WitnessedLedgerSchema, line));
  } catch {
    // The decoder has no other way to say so.
    return undefined;
  }
}

/** Those that are closed first, then those of which nothing was heard for the longest. */
export function byRest(one: Entry, other: Entry): number {
  if (one.closed !== other.closed) return one.closed ? -1 : 1;
  const at = ({ message: { witnessedAt } }: Entry) => (witnessedAt === undefined ? 0 : timestampMs(witnessedAt));
  return at(one) - at(other);
}
