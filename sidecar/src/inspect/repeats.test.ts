import { expect, test } from "vitest";
import { Repeats } from "./repeats.ts";

const request = { caller: "spiffe://bank.example/ns/shop/sa/web", requestId: "r-1", target: "t", inputDigest: "d" };

test("a repetition has the first attempt's id, for a minute", () => {
  const repeats = new Repeats();
  expect(repeats.meet(request, "A", 0)).toBeUndefined();
  expect(repeats.meet(request, "B", 1)).toBe("A");
  expect(repeats.meet(request, "C", 59_999)).toBe("A");
  expect(repeats.meet(request, "D", 60_000)).toBeUndefined();
  expect(repeats.meet(request, "E", 60_001)).toBe("D");
});

test.each([
  ["caller", { ...request, caller: "spiffe://bank.example/ns/shop/sa/other" }],
  ["caller, of whom there is none", { ...request, caller: undefined }],
  ["request id", { ...request, requestId: "r-2" }],
  ["target", { ...request, target: "u" }],
  ["input", { ...request, inputDigest: "e" }],
])("another %s is another request", (_, other) => {
  const repeats = new Repeats();
  repeats.meet(request, "A", 0);
  expect(repeats.meet(other, "B", 1)).toBeUndefined();
});

test("what could not be recorded is no first attempt, and only its own", () => {
  const repeats = new Repeats();
  repeats.meet(request, "A", 0);
  repeats.forget(request, "B");
  expect(repeats.meet(request, "B", 1)).toBe("A");
  repeats.forget(request, "A");
  expect(repeats.meet(request, "C", 2)).toBeUndefined();
});

test("is bounded, and forgets the oldest first", () => {
  const repeats = new Repeats(3);
  for (const [at, requestId] of ["1", "2", "3", "4"].entries()) repeats.meet({ ...request, requestId }, requestId, at);
  expect(repeats.size).toBe(3);
  expect(repeats.meet({ ...request, requestId: "4" }, "x", 5)).toBe("4");
  expect(repeats.meet({ ...request, requestId: "1" }, "y", 6)).toBeUndefined();
});

test("a clock that is set back keeps nothing for ever", () => {
  const repeats = new Repeats();
  repeats.meet(request, "A", 1_000_000);
  expect(repeats.meet(request, "B", 10)).toBeUndefined();
});
