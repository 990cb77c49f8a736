import { expect, test } from "vitest";
import { RateLimit } from "./rate-limit.ts";

test("lets a burst through, then the rate; each key for itself", () => {
  const limit = new RateLimit({ perSecond: 2, burst: 3, maxKeys: 10 });
  const takes = (key: string, nowMs: number, count: number) =>
    Array.from({ length: count }, () => limit.take(key, nowMs)).filter(Boolean).length;
  expect(takes("a", 0, 5)).toBe(3);
  expect(takes("b", 0, 5)).toBe(3);
  expect(takes("a", 500, 5)).toBe(1);
  expect(takes("a", 100_000, 5)).toBe(3);
  // A clock that was set back refuses nobody who may act.
  expect(takes("b", -1_000, 5)).toBe(0);
});

test("forgets the least recently used key beyond its bound", () => {
  const limit = new RateLimit({ perSecond: 0, burst: 1, maxKeys: 2 });
  expect([limit.take("a", 0), limit.take("b", 0), limit.take("a", 0), limit.take("c", 0)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  // b made room for c; a, used since, is still remembered.
  expect([limit.take("a", 0), limit.take("b", 0)]).toEqual([false, true]);
});
