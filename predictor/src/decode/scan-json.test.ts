import { expect, test } from "vitest";
import { scanJson } from "./scan-json.ts";

const scan = (text: string) => scanJson(new TextEncoder().encode(text), { maxObjects: 10, maxValues: 20 });

test.each([
  ["empty", ""],
  ["a request", '{"inputs":[{"name":"image","shape":["1","2"],"contents":{"fp32Contents":[1,2]}}]}'],
  ["brackets and commas inside of strings", `"${"[{,".repeat(100)}"`],
  ["a quote that is escaped, and a backslash that is", String.raw`["a\"[[[[[[[[[[[[","\\"]`],
  ["a string without an end", '"[[[[[[[[[[[[[['],
])("%s passes", (_, text) => {
  expect(scan(text)).toEqual({ ok: true });
});

test.each([
  ["objects", "{}".repeat(11), "more than 10 objects, lists and strings"],
  ["lists", "[".repeat(11), "more than 10 objects, lists and strings"],
  ["strings", '""'.repeat(161), "more than 10 objects, lists and strings"],
  ["values", ",".repeat(21), "more than 20 values"],
])("too many %s are refused", (_, text, problem) => {
  expect(scan(text)).toEqual({ ok: false, kind: "too_large", problem });
});
