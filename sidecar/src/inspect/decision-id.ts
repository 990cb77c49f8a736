import { randomFillSync } from "node:crypto";

// Crockford's base32 without its check symbol: no I, L, O or U, so that an id survives being read out over a telephone.
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** 16 characters of 5 bits. */
const ID_BYTES = 10;
const POOL_IDS = 512;

/** Draws decision ids: 80 random bits, unguessable, so that one tells nothing of another. */
export function decisionIds(fill: (bytes: Uint8Array) => void = (bytes) => void randomFillSync(bytes)): () => string {
  // One call for many: it costs more than the bits.
  const pool = new Uint8Array(ID_BYTES * POOL_IDS);
  let used = pool.length;
  return () => {
    if (used === pool.length) {
      fill(pool);
      used = 0;
    }
    used += ID_BYTES;
    return encodeHalf(pool, used - ID_BYTES) + encodeHalf(pool, used - ID_BYTES / 2);
  };
}

/** Five bytes as eight characters. */
function encodeHalf(bytes: Uint8Array, from: number): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (let at = from; at < from + ID_BYTES / 2; at += 1) {
    held = ((held << 8) | (bytes[at] ?? 0)) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >> bits) & 31] ?? "";
    }
  }
  return text;
}
