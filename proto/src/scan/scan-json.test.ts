import { expect, test } from "vitest";
import { scanJson } from "./scan-json.ts";

const limits = { maxObjects: 10, maxValues: 20, maxDepth: 5 };
const scan = (text: string) => scanJson(new TextEncoder().encode(text), limits);

test.each([
  ["empty", ""],
  ["a request", '{"inputs":[{"name":"image","shape":["1","2"],"contents":{"fp32Contents":[1,2]}}]}'],
  ["brackets and commas inside of strings", `"${"[{,".repeat(100)}"`],
  ["a quote that is escaped, and a backslash that is", String.raw`["a\"[[[[[[[[[[[[","\\"]`],
  ["a string without an end", '"[[[[[[[[[[[[[['],
  ["the same key in two objects, and as a value", '{"a":{"a":"a"},"b":[{"a":"a"},"a","a"]}'],
  ["a long fraction", "[0.12345678901234567]"],
])("%s passes", (_, text) => {
  expect(scan(text)).toEqual({ ok: true, text, longNumbers: false });
});

test.each([
  ["objects", "{}".repeat(11), "more than 10 objects, lists and strings"],
  ["lists", "[]".repeat(11), "more than 10 objects, lists and strings"],
  ["strings", '""'.repeat(161), "more than 10 objects, lists and strings"],
  ["values", ",".repeat(21), "more than 20 values"],
  ["lists in each other", "[".repeat(6), "more than 5 objects and lists in each other"],
])("too many %s are refused", (_, text, problem) => {
  expect(scan(text)).toEqual({ ok: false, kind: "too_large", problem });
});

test.each([
  ["a key that stands twice", '{"a":1,"a":2}', 'the key "a" stands twice in one object'],
  ["a key that stands twice, once escaped", String.raw`{"a":1,"\u0061":2}`, 'the key "a" stands twice in one object'],
  ["a key twice around an object", '{"a":{"b":[{}]},"a":2}', 'the key "a" stands twice in one object'],
  ["a key twice in what nobody reads", '{"x":[[{"y":1,"y":1}]]}', 'the key "y" stands twice in one object'],
  ["a key that is no string", String.raw`{"\x":1}`, "a key is no JSON string"],
  ["a byte-order mark", "\ufeff{}", "the text starts with a byte-order mark"],
])("%s is refused", (_, text, problem) => {
  expect(scan(text)).toEqual({ ok: false, kind: "malformed", problem });
});

test("what is not UTF-8 is refused", () => {
  const problem = "the text is not UTF-8";
  expect(scanJson(Uint8Array.of(0x22, 0xff, 0x22), limits)).toEqual({ ok: false, kind: "malformed", problem });
});

test("lists may count as values, and long integers are told of", () => {
  const lists = scanJson(new TextEncoder().encode("[".repeat(5) + "]".repeat(5) + "[]".repeat(10)), {
    ...limits,
    listsAreValues: true,
  });
  expect(lists).toMatchObject({ ok: true });
  expect(scan("[9007199254740993]")).toMatchObject({ ok: true, longNumbers: true });
});
