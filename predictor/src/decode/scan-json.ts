import type { ScanLimits, ScanResult } from "./scan-binary.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/**
 * The limits of scanBinary for JSON text, before it is parsed: brackets count as objects, and so do 16 strings (64-bit
 * integers may travel as such); commas count as values. Whether it is JSON is the parser's to say.
 */
export function scanJson(bytes: Uint8Array, limits: ScanLimits): ScanResult {
  let objects = 0;
  let strings = 0;
  let values = 0;
  for (let i = 0; i < bytes.byteLength; i++) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      strings++;
      i = endOfString(bytes, i + 1);
    } else if (byte === COMMA) values++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) objects++;
  }
  if (objects + strings / 16 > limits.maxObjects)
    return { ok: false, kind: "too_large", problem: `more than ${limits.maxObjects} objects, lists and strings` };
  if (values > limits.maxValues)
    return { ok: false, kind: "too_large", problem: `more than ${limits.maxValues} values` };
  return { ok: true };
}

/** Where the string that starts at `start` closes, or the end of the text. */
function endOfString(bytes: Uint8Array, start: number): number {
  let i = start;
  while (i < bytes.byteLength && bytes[i] !== QUOTE) i += bytes[i] === BACKSLASH ? 2 : 1;
  return i;
}
