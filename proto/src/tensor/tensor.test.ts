import { expect, test } from "vitest";
import { elementCount, typedElements } from "./tensor.ts";

test.each([
  [[], 1],
  [[0, 784], 0],
  [[2, 3, 4], 24],
])("shape %j has %i elements", (shape, count) => {
  expect(elementCount(shape)).toBe(count);
});

test.each([0, 1, 2, 3, 4])("FP32 at offset %i of its buffer: read as it is, copied only where it must be", (offset) => {
  const buffer = new Uint8Array(offset + 8);
  new DataView(buffer.buffer).setFloat32(offset, 1.5, true);
  new DataView(buffer.buffer).setFloat32(offset + 4, -2, true);
  const elements = typedElements("FP32", buffer.subarray(offset));
  expect(Array.from<number | bigint>(elements)).toEqual([1.5, -2]);
  expect(elements.buffer === buffer.buffer).toBe(offset % 4 === 0);
});
