import type { CheckpointClaims, StoredCheckpoint } from "./checkpoint.ts";
import {
  checkpointDigest,
  claimsOfCheckpoint,
  readCheckpoint,
  readWitness,
  type SignedCheckpoint,
} from "./checkpoint-jws.ts";
import type { FindingList } from "./finding-list.ts";
import { type Digest, toHex } from "./hash.ts";
import type { LedgerIdentity } from "./identity.ts";

/** How far clocks of workload and authority may be apart: a key is used as soon as it is certified. */
const CLOCK_SKEW_MS = 5 * 60_000;
/** Digests that a later checkpoint may name as witnessed: those of eleven days, 10 MB, and always the last that was countersigned. */
const MAX_DIGESTS = 100_000;

/** A checkpoint that holds, waiting for its record. */
interface Due {
  readonly claims: CheckpointClaims;
  readonly digest: string;
  readonly witnessedAt: number | undefined;
}

/** Reads checkpoints and countersignatures, and compares them with heads as these come by. */
export class CheckpointCheck {
  readonly #identity: LedgerIdentity;
  readonly #roots: readonly Uint8Array[];
  readonly #findings: FindingList;
  #due: Due[] = [];
  /** Of `#due`, the first that no record has reached. */
  #next = 0;
  /** From the witness's memory. */
  #remembered: Due | undefined;
  #count = 0;
  #last: { readonly digest: string; readonly seq: number } | undefined;
  #contradicted = false;
  readonly #digests = new Set<string>();
  #lastWitnessed: string | undefined;
  #isRememberedHere = false;
  signedTo: number | undefined;
  witnessedTo: number | undefined;
  witnessedAt: number | undefined;
  /** The record after which, by a checkpoint, nothing follows. */
  closedAt: number | undefined;
  /** Highest number that a checkpoint held so far: lines up to there may come. */
  reach = -1;

  constructor(
    identity: LedgerIdentity,
    roots: readonly Uint8Array[],
    remembered: StoredCheckpoint | undefined,
    findings: FindingList,
  ) {
    this.#identity = identity;
    this.#roots = roots;
    this.#findings = findings;
    if (remembered === undefined) return;
    const read = this.#read(remembered, "the witness's checkpoint", Number.POSITIVE_INFINITY);
    this.#remembered = read.ok ? read : undefined;
  }

  /** Undefined: a line that is none. */
  add(stored: StoredCheckpoint | undefined, at: number): void {
    const name = `checkpoint ${this.#count++}`;
    const before = this.#last;
    if (stored === undefined) {
      this.#last = undefined;
      this.#findings.add({ kind: "checkpoint", message: `${name} is no checkpoint` }, at);
      return;
    }
    const claims = claimsOfCheckpoint(stored.checkpoint);
    this.#last = { digest: checkpointDigest(stored.checkpoint), seq: claims?.seq ?? before?.seq ?? 0 };
    this.reach = Math.max(this.reach, claims?.seq ?? -1);
    const read = this.#read(stored, name, at);
    if (!read.ok) return;
    const isFirst = this.#count === 1;
    if ((isFirst || before !== undefined) && read.claims.previous !== before?.digest) {
      const message = `${name}, of record ${read.claims.seq}, does not follow the one before it: others were removed or exchanged`;
      this.#findings.add({ kind: "checkpoint", message, seq: read.claims.seq }, read.claims.seq);
    }
    if (before !== undefined && read.claims.seq < before.seq) {
      const message = `${name} is of record ${read.claims.seq}, the one before it of record ${before.seq}`;
      this.#findings.add({ kind: "checkpoint", message, seq: read.claims.seq }, read.claims.seq);
      return;
    }
    this.#checkWitnessed(read.claims, name);
    this.#remember(read);
    this.#due.push(read);
  }

  /** The witness signs only what names the last that it signed: where that is not here, a history was written anew and led on from it. */
  #checkWitnessed({ witnessed, seq }: CheckpointClaims, name: string): void {
    if (witnessed === undefined || witnessed === this.#lastWitnessed || this.#digests.has(witnessed)) return;
    const message = `${name}, of record ${seq}, names a countersigned one that is not here: others were removed or exchanged`;
    this.#findings.add({ kind: "checkpoint", message, seq }, seq);
  }

  #remember({ digest, witnessedAt }: Due): void {
    const [oldest] = this.#digests;
    if (this.#digests.size >= MAX_DIGESTS && oldest !== undefined) this.#digests.delete(oldest);
    this.#digests.add(digest);
    if (witnessedAt !== undefined) this.#lastWitnessed = digest;
    if (digest === this.#remembered?.digest) this.#isRememberedHere = true;
  }

  #read(stored: StoredCheckpoint, name: string, at: number): (Due & { readonly ok: true }) | { readonly ok: false } {
    const wrong = (
      kind: "checkpoint" | "witness",
      problem: string,
      seq = claimsOfCheckpoint(stored.checkpoint)?.seq,
    ) => {
      const message = `${name}${seq === undefined ? "" : `, of record ${seq}`}: ${problem}`;
      this.#findings.add({ kind, message, ...(seq === undefined ? {} : { seq }) }, seq ?? at);
      return { ok: false } as const;
    };
    const read = readCheckpoint(stored.checkpoint, this.#roots);
    if (!read.ok) return wrong("checkpoint", read.problem);
    const { claims } = read.value;
    const { ledger, node, spiffe } = this.#identity;
    if (claims.ledger !== ledger || claims.node !== node || claims.iss !== spiffe) {
      return wrong("checkpoint", `it is of ledger ${claims.ledger} of ${claims.iss} at ${claims.node}`);
    }
    const witness = stored.witness === undefined ? undefined : this.#readWitness(stored.witness, read.value);
    if (witness?.ok === false) return wrong("witness", witness.problem);
    // The witness's clock, not the signer's: a key that leaked is of no use once its certificate has ended.
    const signedMs = (witness?.at ?? claims.iat) * 1000;
    const { notBeforeMs, notAfterMs } = read.value;
    if (signedMs < notBeforeMs - CLOCK_SKEW_MS || signedMs > notAfterMs + CLOCK_SKEW_MS) {
      return wrong("checkpoint", "its certificate was not valid when it was signed");
    }
    return { ok: true, claims, digest: read.value.digest, witnessedAt: witness?.at };
  }

  #readWitness(
    jws: string,
    { claims, digest }: SignedCheckpoint,
  ):
    | { readonly ok: true; readonly at: number }
    | { readonly ok: false; readonly at?: never; readonly problem: string } {
    const read = readWitness(jws, this.#roots);
    if (!read.ok) return read;
    const { ledger, seq, head, checkpoint, iat, iss } = read.value;
    if (!claims.iss.startsWith(`${iss}/`)) return { ok: false, problem: `countersignature is by ${iss}` };
    return ledger === claims.ledger && seq === claims.seq && head === claims.head && checkpoint === digest
      ? { ok: true, at: iat }
      : { ok: false, problem: "countersignature is of another checkpoint" };
  }

  /** The record `seq` is there, and the chain after it at `head`; undefined: it is known to be another's. */
  reached(seq: number, head: Digest | undefined): void {
    for (let due = this.#due[this.#next]; due !== undefined && due.claims.seq <= seq; due = this.#due[++this.#next]) {
      if (due.claims.seq === seq && head !== undefined) this.#compare(due, head);
    }
    // What was passed is not kept: a ledger of years has millions.
    if (this.#next > 1024) {
      this.#due = this.#due.slice(this.#next);
      this.#next = 0;
    }
    if (this.#remembered?.claims.seq === seq && head !== undefined) this.#compare(this.#remembered, head);
  }

  #compare({ claims, witnessedAt }: Due, head: Digest): void {
    const { seq } = claims;
    if (claims.head !== toHex(head)) {
      // Every later one contradicts, too.
      if (this.#contradicted) return;
      this.#contradicted = true;
      const from = (this.signedTo ?? -1) + 1;
      const records = from >= seq ? `record ${seq}` : `one of records ${from} to ${seq}`;
      const message = `${records} is not what was there when a checkpoint of record ${seq} was signed: the chain was written anew`;
      const range = from < seq ? { toSeq: seq } : {};
      this.#findings.add({ kind: "checkpoint_contradicts", message, seq: Math.min(from, seq), ...range }, from);
      return;
    }
    this.signedTo = Math.max(this.signedTo ?? -1, seq);
    if (claims.closed === true) this.closedAt = seq;
    if (witnessedAt === undefined) return;
    this.witnessedTo = Math.max(this.witnessedTo ?? -1, seq);
    this.witnessedAt = Math.max(this.witnessedAt ?? 0, witnessedAt);
  }

  /** `end`: number of the record that would come next. */
  finish(end: number): void {
    if (this.#remembered !== undefined && !this.#isRememberedHere && this.#remembered.claims.seq < end) {
      const { seq } = this.#remembered.claims;
      const message = `the witness has a checkpoint of record ${seq} that is not here: checkpoints were removed or exchanged`;
      this.#findings.add({ kind: "checkpoint", message, seq }, seq);
    }
    const beyond = this.#due.slice(this.#next).filter(({ claims }) => claims.seq >= end);
    const witnessed = this.#remembered !== undefined && this.#remembered.claims.seq >= end ? [this.#remembered] : [];
    const last = Math.max(-1, ...[...beyond, ...witnessed].map(({ claims }) => claims.seq));
    if (last >= end) {
      const records = last === end ? `record ${end} is` : `records ${end} to ${last} are`;
      const by = witnessed.length > 0 ? "the witness saw" : "a checkpoint was signed of";
      const message = `${records} missing at the end: ${by} record ${last}`;
      this.#findings.add({ kind: "cut", message, seq: end, ...(last > end ? { toSeq: last } : {}) }, end);
    }
    if (this.closedAt !== undefined && end - 1 > this.closedAt) {
      const message = `record ${this.closedAt + 1} follows record ${this.closedAt}, after which the ledger was closed for good`;
      this.#findings.add({ kind: "after_end", message, seq: this.closedAt + 1 }, this.closedAt + 1);
    }
  }
}
