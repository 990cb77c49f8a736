import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { nextStep, renewAtMs, retryDelayMs } from "./renewal.ts";

const HOUR_MS = 3_600_000;
const day = { receivedAtMs: 1_000, notAfterMs: 1_000 + 24 * HOUR_MS };

describe("renewal", () => {
  test("is due at half of what was left when the SVID came, a tenth of that earlier or later", () => {
    expect(renewAtMs(day, 0)).toBeCloseTo(1_000 + 10.8 * HOUR_MS);
    expect(renewAtMs(day, 0.5)).toBeCloseTo(1_000 + 12 * HOUR_MS);
    expect(renewAtMs(day, 1)).toBeCloseTo(1_000 + 13.2 * HOUR_MS);
  });

  test.each([
    ["without an SVID the token is shown", undefined, 0, "enrol"],
    ["a valid SVID proves itself", day, day.notAfterMs - 60_000, "renew"],
    ["one that may not last for the call does not", day, day.notAfterMs - 500, "enrol"],
    ["nor does an expired one", day, day.notAfterMs + 1, "enrol"],
  ])("%s", (_, lifetime, nowMs, step) => {
    expect(nextStep(lifetime, nowMs)).toBe(step);
  });

  test.each([
    ["the first failure", 1, day, day.receivedAtMs, 500],
    ["the third", 3, day, day.receivedAtMs, 2_000],
    ["the hundredth, with hours left", 100, day, day.receivedAtMs, 60_000],
    ["the hundredth, ten seconds before the end", 100, day, day.notAfterMs - 10_000, 2_000],
    ["the hundredth, after the end", 100, day, day.notAfterMs + 1, 10_000],
    ["the hundredth without any SVID", 100, undefined, 0, 10_000],
  ])("after %s the wait is at most this", (_, failures, lifetime, nowMs, ceilingMs) => {
    expect(retryDelayMs(failures, lifetime, nowMs, 1)).toBe(ceilingMs);
    expect(retryDelayMs(failures, lifetime, nowMs, 0)).toBe(Math.max(250, ceilingMs / 2));
  });

  test("an agent whose control plane is down keeps trying until the end, never in a tight loop", () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.integer({ min: 5_000, max: HOUR_MS }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, leftMs, random) => {
          const delayMs = retryDelayMs(failures + 1, day, day.notAfterMs - leftMs, random);
          expect(delayMs).toBeGreaterThanOrEqual(250);
          expect(delayMs).toBeLessThanOrEqual(leftMs / 5);
        },
      ),
    );
  });
});
