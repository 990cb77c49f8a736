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

/** Of each class, the last fifth was held back from training (predictor/models/digits/README.md). */
function heldBackOf(label: number): readonly Digit[] {
  const file = fileURLToPath(import.meta.resolve(`mnist/src/digits/${label}.json`));
  const { data } = JSON.parse(readFileSync(file, "utf8")) as { data: number[] };
  const total = Math.floor(data.length / PIXELS);
  const count = Math.floor(total / 5);
  return Array.from({ length: count }, (_, index) => {
    const start = (total - count + index) * PIXELS;
    return { label, bytes: new Uint8Array(Float32Array.from(data.slice(start, start + PIXELS)).buffer) };
  });
}

/**
 * Real digits that no model has seen, in a fixed order, the classes interleaved. There are 1,996; whoever asks for more
 * gets the first ones again.
 */
export function heldBackDigits(count: number): readonly Digit[] {
  const classes = Array.from({ length: 10 }, (_, label) => heldBackOf(label));
  const longest = Math.max(...classes.map(({ length }) => length));
  const digits = Array.from({ length: longest }, (_, round) =>
    classes.flatMap((ofClass) => ofClass[round] ?? []),
  ).flat();
  return Array.from({ length: count }, (_, index) => digits[index % digits.length]).flatMap((digit) => digit ?? []);
}
