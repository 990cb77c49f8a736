import { ChainCheck } from "./chain-check.ts";
import type { StoredCheckpoint } from "./checkpoint.ts";
import { CheckpointCheck } from "./checkpoint-check.ts";
import type { VerifyReport } from "./finding.ts";
import { FindingList } from "./finding-list.ts";
import { fromHex, genesisOf, headAfter, toHex } from "./hash.ts";
import type { LedgerIdentity } from "./identity.ts";
import { isSealed, type Line, parseLine, parsePayload } from "./line.ts";
import { MerkleTree } from "./merkle.ts";
import type { LedgerRecord, SegmentClosed, SegmentOpened } from "./record.ts";
import { SegmentCheck } from "./segment-check.ts";

export interface VerifierOptions {
  readonly identity: LedgerIdentity;
  /** DER certificates of the CA; countersignatures and checkpoints must lead to one. */
  readonly roots: readonly Uint8Array[];
  /** What the witness remembers of this ledger, asked for before the ledger is read. */
  readonly witnessed?: StoredCheckpoint;
  /** Default 1000. */
  readonly findingLimit?: number;
}

/** The segment that is being read. */
interface Reading {
  readonly segment: number;
  readonly tree: MerkleTree;
  /** Findings when it began: where there are more, its root is wrong for a reason that is known. */
  readonly findings: number;
  lines: number;
  closed: SegmentClosed | undefined;
}

/** Within a payload's first bytes: seq, time and type come first. */
const TYPE_CHARS = 96;
/** What is longer is no line that is being written. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const LEDGER_RECORD = '"type":"segment.';

/** Reads a ledger in order: for each segment `beginSegment`, its lines, `endSegment`; at last `finish`. */
export class LedgerVerifier {
  readonly #identity: LedgerIdentity;
  readonly #findings: FindingList;
  readonly #chain: ChainCheck;
  readonly #checkpoints: CheckpointCheck;
  readonly #segments: SegmentCheck;
  #reading: Reading | undefined;
  /** The segment before this one, where its end was not seen and nothing else was wrong with it. */
  #unclosed: number | undefined;
  #records = 0;
  #segmentCount = 0;
  #unfinishedBytes = 0;

  constructor({ identity, roots, witnessed, findingLimit = 1000 }: VerifierOptions) {
    this.#identity = identity;
    this.#findings = new FindingList(findingLimit);
    this.#chain = new ChainCheck(genesisOf(identity.ledger), this.#findings);
    this.#checkpoints = new CheckpointCheck(identity, roots, witnessed, this.#findings);
    this.#segments = new SegmentCheck(this.#findings);
  }

  /** Up to which record checkpoints were added; lines beyond may come once there are no more checkpoints. */
  get checkpointReach(): number {
    return this.#checkpoints.reach;
  }

  /** Number of the record that is due. */
  get nextSeq(): number {
    return this.#chain.expected;
  }

  /** Before any line that it covers; in the order in which they stand. Undefined: a line that is none. */
  addCheckpoint(stored: StoredCheckpoint | undefined): void {
    this.#checkpoints.add(stored, this.#chain.expected);
  }

  beginSegment(segment: number): void {
    const before = this.#reading;
    if (this.#unfinishedBytes > 0 && before !== undefined) {
      const message = `${this.#unfinishedBytes} bytes at the end of segment ${before.segment} are no record`;
      this.#findings.add({ kind: "trailing", message, segment: before.segment }, this.#chain.expected);
      this.#unfinishedBytes = 0;
    }
    const isClosed = before === undefined || before.closed !== undefined || this.#findings.size > before.findings;
    this.#unclosed = isClosed ? undefined : before.segment;
    this.#reading = { segment, tree: new MerkleTree(), findings: this.#findings.size, lines: 0, closed: undefined };
    this.#segmentCount++;
  }

  /** Without its line feed. The byte before the payload is overwritten and put back. */
  addLine(bytes: Buffer): void {
    const reading = this.#reading;
    if (reading === undefined) return;
    const line = parseLine(bytes);
    this.#records++;
    const record = ledgerRecordOf(line);
    if (reading.lines++ === 0) this.#openSegment(reading, line, record);
    const due = this.#chain.expected;
    if (!this.#chain.add(line, reading.segment)) return;
    // Of what stands in another's place no checkpoint says anything.
    const head = this.#segments.isAfterStranger ? undefined : this.#chain.head;
    this.#checkpoints.reached(this.#chain.expected - 1, head);
    if (record?.type === "segment.closed") this.#closeSegment(reading, record);
    else {
      if (record?.type === "segment.deleted") this.#segments.deleted(record, due);
      if (reading.closed !== undefined) {
        const message = `record ${due} stands after the end of segment ${reading.segment}`;
        this.#findings.add({ kind: "after_end", message, segment: reading.segment, seq: due }, due);
      }
      reading.tree.append(line.leaf);
    }
    const isNone = line.seq === undefined || (record === undefined && namesLedgerRecord(line));
    const isUnopened = reading.lines === 1 && record?.type !== "segment.opened";
    if (line.payload.length > 0 && (isNone || isUnopened) && this.#findings.size === reading.findings) {
      const message = `record ${due} can't be read`;
      this.#findings.add({ kind: "unreadable", message, segment: reading.segment, seq: due }, due);
    }
  }

  /** Where the file is another's, or follows one that is not there, the chain goes on as its first record says. */
  #openSegment(reading: Reading, line: Line, record: LedgerRecord | undefined): void {
    const { segment } = reading;
    const due = this.#chain.expected;
    const opening = record?.type === "segment.opened" ? record : undefined;
    const previous = opening && fromHex(opening.previous);
    const isWhole = previous !== undefined && line.head !== undefined && headAfter(previous, line.leaf) === line.head;
    const isMissing = this.#segments.begin(segment);
    // Where its end was cut off, records are missing.
    if (this.#unclosed !== undefined && line.seq === due && !isMissing) {
      const message = `segment ${this.#unclosed} was not closed, and segment ${segment} follows`;
      this.#findings.add({ kind: "segment_unclosed", message, segment: this.#unclosed }, due);
    }
    const other = opening && isWhole ? this.#strangerOf(opening, segment) : undefined;
    if (other !== undefined) {
      const message = `segment ${segment} is ${other}`;
      this.#findings.add({ kind: "segment_swapped", message, segment, seq: due }, due);
    }
    if (previous === undefined || !isWhole || line.seq === undefined) return;
    const point = { head: previous, expected: line.seq };
    if (isMissing) this.#segments.resumed({ expected: due, head: this.#chain.head }, point);
    // After one that was exchanged, too, as nothing of the one that should be there is known.
    if (isMissing || other !== undefined || this.#segments.isAfterStranger) this.#chain.resume(point);
    this.#segments.isAfterStranger = other !== undefined;
  }

  #strangerOf(opening: SegmentOpened & { readonly seq: number }, segment: number): string | undefined {
    const { ledger, node, spiffe, policy } = this.#identity;
    if (opening.ledger !== ledger) return `of another ledger, ${opening.ledger}`;
    if (opening.node !== node || opening.spiffe !== spiffe || opening.policy !== policy)
      return `of ${opening.spiffe} at ${opening.node} under ${opening.policy}, which is not what ledger.json says`;
    return opening.segment === segment ? undefined : `segment ${opening.segment}, renamed`;
  }

  #closeSegment(reading: Reading, record: SegmentClosed): void {
    const { tree, segment, findings } = reading;
    reading.closed = record;
    this.#segments.ended(segment, tree.size, toHex(this.#chain.head));
    if (this.#findings.size > findings) return;
    if (record.records !== tree.size || record.root !== toHex(tree.root())) {
      const message = `segment ${segment} has not the Merkle root that its last record says`;
      this.#findings.add({ kind: "root", message, segment, seq: this.#chain.expected - 1 }, this.#chain.expected);
    }
  }

  /** `unfinished`: bytes after the last line feed. */
  endSegment(unfinishedBytes = 0): void {
    this.#unfinishedBytes = unfinishedBytes;
  }

  finish(): VerifyReport {
    const { segment } = this.#reading ?? {};
    if (segment !== undefined && this.#unfinishedBytes > MAX_LINE_BYTES) {
      const message = `${this.#unfinishedBytes} bytes at the end of segment ${segment} are no record`;
      this.#findings.add({ kind: "trailing", message, segment }, this.#chain.expected);
    }
    this.#chain.finish();
    const deletedSegments = this.#segments.finish(this.#chain.expected);
    this.#checkpoints.finish(this.#chain.expected);
    const { signedTo, witnessedTo, witnessedAt, closedAt } = this.#checkpoints;
    const seq = this.#chain.expected - 1;
    return {
      findings: this.#findings.inOrder(),
      moreFindings: this.#findings.more,
      records: this.#records,
      segments: this.#segmentCount,
      deletedSegments,
      last: seq < 0 ? undefined : { seq, head: toHex(this.#chain.head) },
      signedTo,
      witnessedTo,
      witnessedAt,
      closed: closedAt !== undefined,
      unfinishedBytes: this.#unfinishedBytes,
    };
  }
}

/** A record about segments; the others are not looked into. */
function ledgerRecordOf(line: Line): LedgerRecord | undefined {
  if (!namesLedgerRecord(line)) return undefined;
  const record = parsePayload(line.payload);
  if (record === undefined || isSealed(record)) return undefined;
  const { type } = record;
  if (type === "segment.opened") return Number.isSafeInteger(record.segment) ? record : undefined;
  if (type !== "segment.closed" && type !== "segment.deleted") return undefined;
  return Number.isSafeInteger(record.segment) && Number.isSafeInteger(record.records) ? record : undefined;
}

function namesLedgerRecord({ payload }: Line): boolean {
  return payload.toString("latin1", 0, TYPE_CHARS).includes(LEDGER_RECORD);
}
