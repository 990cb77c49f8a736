import { MOST_DIMENSIONS } from "@hedgerow/proto/tensor";

export type ShapeResult =
  | { readonly ok: true; readonly shape: readonly number[]; readonly count: number }
  | { readonly ok: false; readonly problem: string };

/** More than any request carries, and far from where products of numbers become inexact. */
const MOST_ELEMENTS = 2 ** 31;

/** A shape without a model to hold it against: dimensions from 0, of which a batch may be empty. */
export function readShape(wire: readonly unknown[]): ShapeResult {
  if (wire.length > MOST_DIMENSIONS)
    return { ok: false, problem: `${wire.length} dimensions, at most ${MOST_DIMENSIONS} are taken` };
  const shape: number[] = [];
  let count = 1;
  for (const size of wire) {
    const number = typeof size === "bigint" ? Number(size) : size;
    if (typeof number !== "number" || !Number.isInteger(number) || number < 0)
      return { ok: false, problem: "a dimension that is no integer from 0" };
    count *= number;
    if (number > MOST_ELEMENTS || count > MOST_ELEMENTS)
      return { ok: false, problem: "more elements than a request can carry" };
    // JSON has a negative zero.
    shape.push(number + 0);
  }
  return { ok: true, shape, count };
}
