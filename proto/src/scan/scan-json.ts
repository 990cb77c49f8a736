import type { ScanLimits } from "./scan-binary.ts";

export interface JsonScanLimits extends ScanLimits {
  /** Of lists and objects in each other. */
  readonly maxDepth: number;
  /** Lists count as values: tensors may come as lists of lists. */
  readonly listsAreValues?: true;
}

export type JsonScanResult =
  | {
      readonly ok: true;
      /** The same as text, for a parser that is still to say whether it is JSON. */
      readonly text: string;
      /** Some integer has so many digits that a JavaScript number may not hold it. */
      readonly longNumbers: boolean;
    }
  | { readonly ok: false; readonly kind: "malformed" | "too_large"; readonly problem: string };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const POINT = 0x2e;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** Every integer of 15 digits is a JavaScript number. */
const EXACT_DIGITS = 15;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Judges JSON text before it is parsed: UTF-8 without a byte-order mark, within the limits of scanBinary, and no key twice
 * in one object, because parsers differ in which of the two they keep. Objects and lists count as objects, and so do 16
 * strings (64-bit integers may travel as such); commas count as values. Whether it is JSON is the parser's to say.
 */
export function scanJson(bytes: Uint8Array, limits: JsonScanLimits): JsonScanResult {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    return malformed("the text is not UTF-8");
  }
  if (text.startsWith("\ufeff")) return malformed("the text starts with a byte-order mark");
  const { maxObjects, maxValues, maxDepth, listsAreValues } = limits;
  let objects = 0;
  let strings = 0;
  let values = 0;
  let longNumbers = false;
  // The keys of every object that is open; undefined stands for a list.
  const open: (Set<string> | undefined)[] = [];
  let isKey = false;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char <= 0x39 && char >= 0x30) {
      if (++digits > EXACT_DIGITS) longNumbers = true;
      continue;
    }
    // What follows a point is a fraction, however long.
    digits = char === POINT ? Number.NEGATIVE_INFINITY : 0;
    switch (char) {
      case QUOTE: {
        strings++;
        const end = endOfString(text, i + 1);
        if (isKey) {
          const key = keyOf(text, i, end);
          const keys = open.at(-1);
          if (key === undefined) return malformed("a key is no JSON string");
          if (keys?.has(key))
            return malformed(`the key ${JSON.stringify(key.slice(0, 64))} stands twice in one object`);
          keys?.add(key);
          isKey = false;
        }
        i = end;
        break;
      }
      case COMMA:
        values++;
        isKey = open.length > 0 && open.at(-1) !== undefined;
        break;
      case COLON:
        isKey = false;
        break;
      case OPEN_BRACE:
        objects++;
        open.push(new Set());
        isKey = true;
        break;
      case OPEN_BRACKET:
        if (listsAreValues === true) values++;
        else objects++;
        open.push(undefined);
        isKey = false;
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        isKey = false;
        break;
      // Whether what else stands outside of strings may stand there, the parser says.
      // no default
    }
    if (objects + strings / 16 > maxObjects)
      return tooLarge(`more than ${maxObjects} objects${listsAreValues === true ? "" : ", lists"} and strings`);
    if (values > maxValues) return tooLarge(`more than ${maxValues} values`);
    if (open.length > maxDepth) return tooLarge(`more than ${maxDepth} objects and lists in each other`);
  }
  return { ok: true, text, longNumbers };
}

const malformed = (problem: string): JsonScanResult => ({ ok: false, kind: "malformed", problem });
const tooLarge = (problem: string): JsonScanResult => ({ ok: false, kind: "too_large", problem });

/** Where the string that starts at `start` closes, or the end of the text. */
function endOfString(text: string, start: number): number {
  let i = start;
  for (;;) {
    const end = text.indexOf('"', i);
    if (end === -1) return text.length;
    let backslashes = 0;
    while (end - 1 - backslashes >= i && text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
    i = end + 1;
  }
}

/** The key between two quotes, as a parser reads it: an escaped letter is the letter. */
function keyOf(text: string, start: number, end: number): string | undefined {
  const raw = text.slice(start + 1, end);
  if (!raw.includes("\\")) return raw;
  try {
    const key: unknown = JSON.parse(text.slice(start, end + 1));
    return typeof key === "string" ? key : undefined;
  } catch {
    return undefined;
  }
}
