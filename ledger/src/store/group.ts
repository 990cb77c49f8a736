import { type ChainLink, LINE_OVERHEAD, writeLine } from "../line.ts";
import type { RecordBody, SegmentClosed, SegmentOpened } from "../record.ts";
import { type DataKey, sealPayload } from "./data-keys.ts";
import type { ChainState } from "./recover.ts";

/** Records about the ledger itself: verified, and deleted segments accounted for, without its keys. */
const NEVER_SEALED: ReadonlySet<string> = new Set([
  "segment.opened",
  "segment.closed",
  "segment.deleted",
  "tail.repaired",
  "records.missing",
]);

/** A record that waits for its number. */
export interface Unnumbered {
  /** JSON of the body, which begins with its type. */
  readonly json: string;
  readonly bytes: number;
  readonly isSealed: boolean;
}

export function toUnnumbered(body: RecordBody | SegmentOpened | SegmentClosed): Unnumbered {
  const { type } = body;
  const written = JSON.stringify(body);
  // Readers may trust that the type stands first; a body may not be made so.
  const json = written.startsWith('{"type":') ? written : JSON.stringify(Object.assign({ type }, body));
  return { json, bytes: Buffer.byteLength(json), isSealed: !NEVER_SEALED.has(type) };
}

export interface EncodedGroup {
  readonly bytes: Buffer;
  readonly links: readonly ChainLink[];
  /** After its last record. */
  readonly chain: ChainState;
}

/** The lines of records that follow the chain. `time` is RFC 3339. */
export function encodeGroup(
  records: readonly Unnumbered[],
  chain: ChainState,
  time: string,
  seal: { readonly ledger: string; readonly key: DataKey } | undefined,
): EncodedGroup {
  let { seq, head } = chain;
  const payloads = records.map(({ json, bytes, isSealed }) => {
    const start = `{"seq":${seq},"time":"${time}",`;
    const payload = start + json.slice(1);
    seq++;
    if (!isSealed || seal === undefined) return { payload, bytes: bytes - 1 + start.length };
    const sealed = sealPayload(payload, seal.ledger, seq - 1, seal.key);
    return { payload: sealed, bytes: sealed.length };
  });
  const size = payloads.reduce((sum, { bytes }) => sum + bytes + LINE_OVERHEAD, 0);
  const target = Buffer.allocUnsafeSlow(size);
  const links: ChainLink[] = [];
  let offset = 0;
  for (const { payload, bytes } of payloads) {
    const link = writeLine(target, offset, payload, bytes, head);
    head = link.head;
    links.push(link);
    offset += bytes + LINE_OVERHEAD;
  }
  return { bytes: target, links, chain: { segment: chain.segment, seq, head, offset: chain.offset + size } };
}
