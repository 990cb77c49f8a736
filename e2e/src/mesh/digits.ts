import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Pixels of one digit: 28 × 28, row by row, 0 to 1. */
export const PIXELS = 784;

export interface Digit {
  /** What the digit is, 0 to 9. */
  readonly label: number;
  /** Little-endian FP32: one row of `raw_input_contents`. */
  readonly bytes: Uint8Array;
}

/** Of each class, the last fifth was held back from training (predictor/training). */
const heldBackRatio = 0.2;

/** The real digits that no model has seen, the classes interleaved: at most `count`, in a fixed order. */
export function heldBackDigits(count: number): readonly Digit[] {
  const classes = Array.from({ length: 10 }, (_, label) => {
    const file = fileURLToPath(import.meta.resolve(`mnist/src/digits/${label}.json`));
    const { data } = JSON.parse(readFileSync(file, "utf8")) as { data: number[] };
    const total = Math.floor(data.length / PIXELS);
    const digits: Digit[] = [];
    for (let index = Math.ceil(total * (1 - heldBackRatio)); index < total; index++) {
      const pixels = Float32Array.from(data.slice(index * PIXELS, (index + 1) * PIXELS));
      digits.push({ label, bytes: new Uint8Array(pixels.buffer) });
    }
    return digits;
  });
  const digits: Digit[] = [];
  for (let round = 0; digits.length < count; round++) {
    const before = digits.length;
    for (const digitsOfClass of classes) {
      const digit = digitsOfClass[round];
      if (digit !== undefined && digits.length < count) digits.push(digit);
    }
    if (digits.length === before) break;
  }
  return digits;
}
