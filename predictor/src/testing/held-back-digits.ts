import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const PIXELS = 784;

export interface Digit {
  readonly label: number;
  readonly pixels: readonly number[];
}

/** Real digits that no model was trained on: of each digit's n images, the last floor(n / 5) (models/digits/README.md). */
export function heldBackDigits(): readonly Digit[] {
  return Array.from({ length: 10 }, (_, label) => {
    const path = fileURLToPath(import.meta.resolve(`mnist/src/digits/${label}.json`));
    const { data } = JSON.parse(readFileSync(path, "utf8")) as { data: number[] };
    const total = data.length / PIXELS;
    return Array.from({ length: Math.floor(total / 5) }, (_, index) => {
      const start = (total - Math.floor(total / 5) + index) * PIXELS;
      return { label, pixels: data.slice(start, start + PIXELS) };
    });
  }).flat();
}

/** Little-endian FP32, one row a digit. */
export function rawPixels(digits: readonly Digit[]): Uint8Array {
  return new Uint8Array(Float32Array.from(digits.flatMap(({ pixels }) => pixels)).buffer);
}
