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
const ZERO = 0x30;
const NINE = 0x39;
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
  let keys: Set<string> | undefined;
  let isKey = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char <= NINE && char >= ZERO) {
      const start = i;
      i = endOfDigits(text, start);
      // What follows a point is a fraction, however long.
      if (i - start >= EXACT_DIGITS && text.charCodeAt(start - 1) !== POINT) longNumbers = true;
      continue;
    }
    switch (char) {
      case COMMA:
        if (++values > maxValues) return tooLarge(`more than ${maxValues} values`);
        isKey = keys !== undefined;
        break;
      case QUOTE: {
        strings++;
        const end = endOfString(text, i + 1);
        if (isKey) {
          const key = keyOf(text, i, end);
          if (key === undefined) return malformed("a key is no JSON string");
          if (keys?.has(key))
            return malformed(`the key ${JSON.stringify(key.slice(0, 64))} stands twice in one object`);
          keys?.add(key);
          isKey = false;
        }
        i = end;
        break;
      }
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (char === OPEN_BRACKET && listsAreValues === true) values++;
        else objects++;
        isKey = char === OPEN_BRACE;
        keys = isKey ? new Set() : undefined;
        if (open.push(keys) > maxDepth) return tooLarge(`more than ${maxDepth} objects and lists in each other`);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        open.pop();
        keys = open.at(-1);
        isKey = false;
        break;
      case COLON:
        isKey = false;
        break;
      default:
        // Whether it may stand there, the parser says.
        continue;
    }
    if (objects + strings / 16 > maxObjects)
      return tooLarge(`more than ${maxObjects} objects${listsAreValues === true ? "" : ", lists"} and strings`);
  }
  return { ok: true, text, longNumbers };
}

const malformed = (problem: string): JsonScanResult => ({ ok: false, kind: "malformed", problem });
const tooLarge = (problem: string): JsonScanResult => ({ ok: false, kind: "too_large", problem });

/** Where the last of the digits from `start` on stands. */
function endOfDigits(text: string, start: number): number {
  let i = start + 1;
  for (; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char > NINE || char < ZERO) break;
  }
  return i - 1;
}

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
