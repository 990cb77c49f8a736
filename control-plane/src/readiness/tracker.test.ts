import { describe, expect, test } from "vitest";
import { GRACE_MS, RESTORED_GRACE_MS, ReadinessTracker } from "./tracker.ts";

const ready = { ready: true, reason: "", agentVersion: "1" };
const unready = { ready: false, reason: "port 8080 refuses", agentVersion: "1" };
const nodes = (tracker: ReadinessTracker) => [...tracker.readyNodes()];

describe("readiness", () => {
  test("empty: nobody is ready, nothing expires", () => {
    const tracker = new ReadinessTracker();
    expect([nodes(tracker), tracker.nextExpiryMs(), tracker.of("n/a")]).toEqual([[], undefined, undefined]);
  });

  test("follows the last report, and says why not", () => {
    const tracker = new ReadinessTracker();
    expect(tracker.report("n/a", 1, unready)).toBe(false);
    expect(tracker.of("n/a")).toMatchObject(unready);
    expect(tracker.report("n/a", 1, ready)).toBe(true);
    expect(tracker.report("n/a", 1, ready)).toBe(false);
    expect(nodes(tracker)).toEqual(["n/a"]);
    expect(tracker.report("n/a", 1, unready)).toBe(true);
    expect(nodes(tracker)).toEqual([]);
  });

  test("a call that ends while ready leaves a grace, one that ends unready none", () => {
    const tracker = new ReadinessTracker();
    tracker.report("n/a", 1, ready);
    tracker.report("n/b", 2, unready);
    tracker.end("n/a", 1, 1_000);
    tracker.end("n/b", 2, 1_000);
    expect([nodes(tracker), tracker.nextExpiryMs(), tracker.of("n/b")]).toEqual([["n/a"], 1_000 + GRACE_MS, undefined]);
    expect(tracker.expire(1_000 + GRACE_MS - 1)).toBe(false);
    expect(nodes(tracker)).toEqual(["n/a"]);
    expect(tracker.expire(1_000 + GRACE_MS)).toBe(true);
    expect([nodes(tracker), tracker.nextExpiryMs()]).toEqual([[], undefined]);
  });

  test("a report within the grace ends it", () => {
    const tracker = new ReadinessTracker();
    tracker.report("n/a", 1, ready);
    tracker.end("n/a", 1, 0);
    expect(tracker.report("n/a", 2, ready)).toBe(false);
    expect([tracker.expire(10 * GRACE_MS), nodes(tracker)]).toEqual([false, ["n/a"]]);
  });

  test("what an older call says or how it ends changes nothing", () => {
    const tracker = new ReadinessTracker();
    tracker.report("n/a", 1, ready);
    tracker.report("n/a", 2, ready);
    expect(tracker.report("n/a", 1, unready)).toBe(false);
    tracker.end("n/a", 1, 0);
    expect([nodes(tracker), tracker.nextExpiryMs()]).toEqual([["n/a"], undefined]);
  });

  test("the set of before a restart stands for longer", () => {
    const tracker = new ReadinessTracker();
    tracker.restore(["n/a", "n/b"], 5_000);
    tracker.report("n/b", 1, ready);
    expect(nodes(tracker)).toEqual(["n/a", "n/b"]);
    expect(tracker.expire(5_000 + RESTORED_GRACE_MS)).toBe(true);
    expect(nodes(tracker)).toEqual(["n/b"]);
  });
});
