import { elementCount, MOST_DIMENSIONS } from "@hedgerow/proto/tensor";
import type { TensorSpec } from "../model/tensor-spec.ts";

export type ShapeResult =
  | { readonly ok: true; readonly shape: readonly number[] }
  | { readonly ok: false; readonly problem: string };

/** `[-1,784]`, as it stands in an error: at most 8 dimensions of it. */
function shapeText(shape: readonly (number | bigint)[]): string {
  return `[${shape.slice(0, 8).join(",")}${shape.length > 8 ? ",…" : ""}]`;
}

/**
 * A shape from the wire against what the model declares. Every dimension is from 1, because an empty batch asks for
 * nothing; the product is at most `maxElements`, so that nothing is ever sized by what a caller merely claims.
 */
export function checkShape(wire: readonly bigint[], spec: TensorSpec, maxElements: number): ShapeResult {
  const expected = spec.shape === undefined ? "" : `, expected ${shapeText(spec.shape)}`;
  const refuse = (why: string): ShapeResult => ({
    ok: false,
    problem: `shape ${shapeText(wire)} ${why}${expected}`,
  });
  if (wire.length > MOST_DIMENSIONS)
    return refuse(`has ${wire.length} dimensions, at most ${MOST_DIMENSIONS} are taken`);
  if (spec.shape !== undefined && wire.length !== spec.shape.length)
    return refuse(`has ${wire.length} dimensions instead of ${spec.shape.length}`);
  const least = wire.findIndex((size) => size < 1n);
  if (least >= 0) return refuse(`has a dimension ${least} below 1`);
  const other = wire.findIndex((size, index) => {
    const declared = spec.shape?.[index] ?? -1;
    return declared !== -1 && size !== BigInt(declared);
  });
  if (other >= 0) return refuse(`differs in dimension ${other}`);
  let elements = 1n;
  for (const size of wire) elements *= size;
  if (elements > BigInt(maxElements)) return refuse(`has more elements than a request can carry (${maxElements})`);
  return { ok: true, shape: wire.map(Number) };
}

/** How many bytes or values a problem expected, said with the shape that they follow from. */
export function countText(shape: readonly number[], bytesPerElement: number): string {
  return `${elementCount(shape) * bytesPerElement} for shape ${shapeText(shape)}`;
}
