import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { summarize } from "./quantiles.ts";

describe("a summary", () => {
  test("without values is not a number anywhere", () => {
    const { count, ...rest } = summarize([]);
    expect(count).toBe(0);
    for (const value of Object.values(rest)) expect(value).toBeNaN();
  });

  test("interpolates between the two nearest, whatever the order", () => {
    expect(summarize([40, 10, 30, 20])).toEqual({
      count: 4,
      min: 10,
      p50: 25,
      p90: 37,
      p99: expect.closeTo(39.7),
      max: 40,
      mean: 25,
    });
  });

  test("of one value is that value", () => {
    expect(summarize([7])).toEqual({ count: 1, min: 7, p50: 7, p90: 7, p99: 7, max: 7, mean: 7 });
  });

  test("ascends, and leaves its input alone", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1e6, max: 1e6 }), { minLength: 1 }), (values) => {
        const before = [...values];
        const { min, p50, p90, p99, max } = summarize(values);
        expect(values).toEqual(before);
        const ascending = [min, p50, p90, p99, max];
        expect(ascending).toEqual(ascending.toSorted((a, b) => a - b));
        expect([min, max]).toEqual([Math.min(...values), Math.max(...values)]);
      }),
    );
  });
});
