import { DIGEST_BYTES, type Digest, fromHex, headAfter, leafOfPrefixed, toHex } from "./hash.ts";
import type { LedgerRecord } from "./record.ts";

// A line of a segment: HEAD SP PAYLOAD LF. HEAD is hexadecimal; PAYLOAD is one line of JSON that begins with `{"seq":N`.

const HEAD_CHARS = 2 * DIGEST_BYTES;
const SPACE = 0x20;
export const LINE_FEED = 0x0a;

/** What stands around a payload in its line. */
export const LINE_OVERHEAD = HEAD_CHARS + 2;

/** A record that is encrypted under its segment's data key: AES-256-GCM, additional data LEDGER/SEQ. */
export interface SealedRecord {
  readonly seq: number;
  readonly kid: string;
  /** Nonce (12 bytes, random), ciphertext and tag (16 bytes), base64url. */
  readonly enc: string;
}

export interface ChainLink {
  readonly leaf: Digest;
  readonly head: Digest;
}

/**
 * Writes a line at `offset` of `target`, which has room for it: `payloadBytes` + LINE_OVERHEAD, `payloadBytes` being the payload's
 * length in UTF-8.
 */
export function writeLine(
  target: Buffer,
  offset: number,
  payload: string,
  payloadBytes: number,
  previous: Digest,
): ChainLink {
  const space = offset + HEAD_CHARS;
  target[space] = SPACE;
  target.write(payload, space + 1, "utf8");
  const end = space + 1 + payloadBytes;
  target[end] = LINE_FEED;
  const leaf = leafOfPrefixed(target.subarray(space, end));
  const head = headAfter(previous, leaf);
  target.write(toHex(head), offset, "latin1");
  return { leaf, head };
}

/** A line, its line feed included, after the record whose head is `previous`. */
export function encodeLine(payload: string, previous: Digest): ChainLink & { readonly line: Buffer } {
  const payloadBytes = Buffer.byteLength(payload);
  const line = Buffer.allocUnsafe(payloadBytes + LINE_OVERHEAD);
  return { line, ...writeLine(line, 0, payload, payloadBytes, previous) };
}

export interface Line {
  /** As the line says; undefined: no head stands there. */
  readonly head: Digest | undefined;
  readonly leaf: Digest;
  readonly payload: Buffer;
  /** As the payload says; undefined: it doesn't begin as a payload does. */
  readonly seq: number | undefined;
}

const SEQ = /^\{"seq":(0|[1-9][0-9]{0,15})[,}]/;
/** Of `{"seq":`, sixteen digits and what follows. */
const SEQ_CHARS = 24;

/** The sequence number with which a payload begins. */
export function seqOf(payload: Buffer): number | undefined {
  const digits = SEQ.exec(payload.toString("latin1", 0, Math.min(SEQ_CHARS, payload.length)))?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/**
 * Takes a line, without its line feed, apart. The byte before the payload is overwritten and put back: `line` must not lie in memory
 * that another thread reads. A line that isn't in form comes back as well as it can be read.
 */
export function parseLine(line: Buffer): Line {
  const inForm = line.length > HEAD_CHARS && line[HEAD_CHARS] === SPACE;
  const payload = inForm ? line.subarray(HEAD_CHARS + 1) : Buffer.alloc(0);
  return {
    head: inForm ? fromHex(line.toString("latin1", 0, HEAD_CHARS)) : undefined,
    leaf: inForm ? leafOfPrefixed(line.subarray(HEAD_CHARS)) : "",
    payload,
    seq: seqOf(payload),
  };
}

/** A payload's value, or undefined where it is no JSON object with a sequence number. */
export function parsePayload(payload: Buffer | string): LedgerRecord | SealedRecord | undefined {
  try {
    const value: unknown = JSON.parse(typeof payload === "string" ? payload : payload.toString());
    if (typeof value !== "object" || value === null || !("seq" in value) || typeof value.seq !== "number")
      return undefined;
    if ("enc" in value) {
      return "kid" in value && typeof value.kid === "string" && typeof value.enc === "string"
        ? { seq: value.seq, kid: value.kid, enc: value.enc }
        : undefined;
    }
    if (!("type" in value) || typeof value.type !== "string") return undefined;
    // The writer's types say what is in a record; a reader shows what is there.
    return value as LedgerRecord;
  } catch {
    return undefined;
  }
}

export function isSealed(record: LedgerRecord | SealedRecord): record is SealedRecord {
  return "enc" in record;
}
