import { type Digest, fromHex, genesisOf, headAfter } from "../hash.ts";
import type { LedgerIdentity } from "../identity.ts";
import { isSealed, type Line, parseLine, parsePayload } from "../line.ts";
import { MerkleTree } from "../merkle.ts";
import type { SegmentClosed, SegmentOpened } from "../record.ts";
import { segmentNumbers } from "./files.ts";
import { lastLine, readLines } from "./read-lines.ts";

/** Where the chain stands: what the next record follows. */
export interface ChainState {
  readonly segment: number;
  /** Of the next record. */
  readonly seq: number;
  readonly head: Digest;
  /** Where the next line begins. */
  readonly offset: number;
}

/** The segment that is being written. */
export interface OpenSegment {
  readonly tree: MerkleTree;
  readonly openedAtMs: number;
  readonly region: string | undefined;
  readonly kid: string | undefined;
}

/** What the last segment says on where to go on. */
export type Recovered =
  /** Append to it, or, where it is closed (`open` undefined), begin the one after it. `repaired`: bytes to cut off behind the offset. */
  | {
      readonly kind: "intact";
      readonly chain: ChainState;
      readonly open: OpenSegment | undefined;
      readonly repairedBytes: number;
      /** A segment that was begun and holds no record: to be begun anew. */
      readonly restart: number | undefined;
    }
  /** It holds what the writer can't have left. */
  | { readonly kind: "damaged"; readonly problem: string };

const damaged = (problem: string): Recovered => ({ kind: "damaged", problem });

/**
 * Reads the last segment. A crash leaves a tail that is not whole: bytes that do not continue the chain, and nothing behind them
 * that does. Records that do behind some that don't are no crash's work.
 */
export async function recoverChain(directory: string, { ledger }: LedgerIdentity): Promise<Recovered> {
  const last = (await segmentNumbers(directory)).at(-1);
  if (last === undefined) {
    const chain = { segment: 0, seq: 0, head: genesisOf(ledger), offset: 0 };
    return { kind: "intact", chain, open: undefined, repairedBytes: 0, restart: 0 };
  }
  const scan = new SegmentScan(ledger, last);
  let size = 0;
  for await (const { lines, next, unfinishedBytes } of readLines(directory, { segment: last, offset: 0 })) {
    for (const line of lines) scan.add(line);
    size = next.offset + unfinishedBytes;
  }
  if (scan.problem !== undefined) return damaged(scan.problem);
  if (scan.chain === undefined) return await restartSegment(directory, ledger, last, size);
  return {
    kind: "intact",
    chain: scan.chain,
    open: scan.open,
    repairedBytes: size - scan.chain.offset,
    restart: undefined,
  };
}

/** The segment's first record never came to be whole: the chain stands where the segment before ends. */
async function restartSegment(
  directory: string,
  ledger: string,
  segment: number,
  repairedBytes: number,
): Promise<Recovered> {
  if (segment === 0) {
    const chain = { segment, seq: 0, head: genesisOf(ledger), offset: 0 };
    return { kind: "intact", chain, open: undefined, repairedBytes, restart: segment };
  }
  const line = await lastLine(directory, segment - 1);
  const before = line && parseLine(line);
  if (before?.head === undefined || before.seq === undefined || parseClosing(before) === undefined) {
    return damaged(`segment ${segment} has no first record, and the end of segment ${segment - 1} is not there`);
  }
  const chain = { segment, seq: before.seq + 1, head: before.head, offset: 0 };
  return { kind: "intact", chain, open: undefined, repairedBytes, restart: segment };
}

export function parseClosing({ payload }: Line): SegmentClosed | undefined {
  const record = parsePayload(payload);
  return record !== undefined && !isSealed(record) && record.type === "segment.closed" ? record : undefined;
}

function parseOpening({ payload }: Line): (SegmentOpened & { readonly time: string }) | undefined {
  const record = parsePayload(payload);
  return record !== undefined && !isSealed(record) && record.type === "segment.opened" ? record : undefined;
}

/** Follows the chain through one segment, as far as it goes. */
class SegmentScan {
  readonly #ledger: string;
  readonly #segment: number;
  /** After the last record that continues the chain. */
  chain: ChainState | undefined;
  open: OpenSegment | undefined;
  problem: string | undefined;
  #offset = 0;
  /** As the lines say, whether they fit or not: so that a fault is told from what only follows one. */
  #stated: { readonly seq: number; readonly head: Digest } | undefined;
  #firstBad: number | undefined;

  constructor(ledger: string, segment: number) {
    this.#ledger = ledger;
    this.#segment = segment;
  }

  add(bytes: Buffer): void {
    const line = parseLine(bytes);
    this.#offset += bytes.length + 1;
    if (this.#offset === bytes.length + 1) this.#begin(line);
    else this.#follow(line);
  }

  #begin(line: Line): void {
    const opening = parseOpening(line);
    const previous = opening && fromHex(opening.previous);
    if (opening === undefined || previous === undefined || !this.#fits(line, previous)) {
      this.#misfit(line);
      return;
    }
    if (opening.ledger !== this.#ledger || opening.segment !== this.#segment) {
      this.problem ??= `segment ${this.#segment} says that it is segment ${opening.segment} of ledger ${opening.ledger}`;
    }
    const { time, region, kid } = opening;
    this.open = { tree: new MerkleTree(), openedAtMs: Date.parse(time), region, kid };
    this.#accept(line);
  }

  #follow(line: Line): void {
    const before = this.#stated;
    if (before === undefined || line.seq !== before.seq + 1 || !this.#fits(line, before.head)) {
      this.#misfit(line);
      return;
    }
    if (this.#firstBad !== undefined) {
      this.problem ??= `segment ${this.#segment} does not fit its chain at byte ${this.#firstBad}, but goes on at record ${line.seq}`;
      return;
    }
    if (this.open === undefined) {
      this.problem ??= `segment ${this.#segment} goes on after its end, at record ${line.seq}`;
      return;
    }
    this.#accept(line);
  }

  #fits(line: Line, previous: Digest): boolean {
    return line.head !== undefined && line.seq !== undefined && headAfter(previous, line.leaf) === line.head;
  }

  #accept({ seq = 0, head = "", leaf, payload }: Line): void {
    this.#stated = { seq, head };
    this.chain = { segment: this.#segment, seq: seq + 1, head, offset: this.#offset };
    if (payload.includes(CLOSED) && parseClosing({ seq, head, leaf, payload })) this.open = undefined;
    else this.open?.tree.append(leaf);
  }

  #misfit({ seq, head }: Line): void {
    this.#firstBad ??= this.#offset;
    this.#stated = seq === undefined || head === undefined ? undefined : { seq, head };
  }
}

const CLOSED = Buffer.from('"type":"segment.closed"');
