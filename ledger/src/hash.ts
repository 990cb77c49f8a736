import { hash } from "node:crypto";

// What is hashed begins with a byte that says what it is, so that a leaf can't pass for a node (RFC 6962, section 2.1).
const LEAF = 0x00;
const NODE = 0x01;
const HEAD = 0x02;

export const DIGEST_BYTES = 32;

/**
 * A digest as a Latin-1 string of 32 characters. Node makes one three times as fast as a Buffer, and a string of it can't be
 * altered by whoever it is given to.
 */
export type Digest = string;

const pair = Buffer.alloc(1 + 2 * DIGEST_BYTES);

function hashPair(kind: number, left: Digest, right: Digest): Digest {
  pair[0] = kind;
  pair.write(left, 1, "latin1");
  pair.write(right, 1 + DIGEST_BYTES, "latin1");
  return hash("sha256", pair, "binary");
}

/** SHA-256(0x01 ‖ left ‖ right): a node of the Merkle tree. */
export const nodeOf = (left: Digest, right: Digest): Digest => hashPair(NODE, left, right);

/** SHA-256(0x02 ‖ previous ‖ leaf): the head of the chain after a record. */
export const headAfter = (previous: Digest, leaf: Digest): Digest => hashPair(HEAD, previous, leaf);

/** SHA-256(0x00 ‖ payload). `bytes` is the payload with one byte before it, which is overwritten and put back: nothing is copied. */
export function leafOfPrefixed(bytes: Buffer): Digest {
  const before = bytes[0] ?? LEAF;
  bytes[0] = LEAF;
  const leaf = hash("sha256", bytes, "binary");
  bytes[0] = before;
  return leaf;
}

/** SHA-256(0x00 ‖ payload). */
export const leafOf = (payload: Uint8Array): Digest =>
  hash("sha256", Buffer.concat([Buffer.of(LEAF), payload]), "binary");

/** The head before a ledger's first record: no two ledgers share one, so that no record fits into another's. */
export const genesisOf = (ledger: string): Digest => hash("sha256", `hedgerow-ledger/1\n${ledger}`, "binary");

export const toHex = (digest: Digest): string => Buffer.from(digest, "latin1").toString("hex");

const HEX = /^[0-9a-f]{64}$/;

/** Undefined: not 64 lower-case hexadecimal digits. */
export function fromHex(hex: string): Digest | undefined {
  return HEX.test(hex) ? Buffer.from(hex, "hex").toString("latin1") : undefined;
}
