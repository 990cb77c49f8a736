import { expect, test } from "vitest";
import { Turnstile } from "./turnstile.ts";

test("never more at once than its width, never more waiting than its queue, in order; a failure frees its place", async () => {
  const turnstile = new Turnstile({ width: 2, queue: 3 });
  const started: number[] = [];
  const gates = Array.from({ length: 6 }, () => Promise.withResolvers<number>());
  const runs = gates.map(({ promise }, index) =>
    turnstile.run(() => {
      started.push(index);
      return promise;
    }),
  );
  const outcomes = Promise.allSettled(runs);
  expect(await runs[5]).toBeUndefined();
  expect(started).toEqual([0, 1]);
  gates[1]?.reject(new Error("no"));
  await runs[1]?.catch(() => {});
  await Promise.resolve();
  expect(started).toEqual([0, 1, 2]);
  for (const [index, { resolve }] of gates.entries()) resolve(index);
  expect((await outcomes).map((one) => (one.status === "fulfilled" ? one.value : "failed"))).toEqual([
    0,
    "failed",
    2,
    3,
    4,
    undefined,
  ]);
  expect(await turnstile.run(async () => "free again")).toBe("free again");
});
