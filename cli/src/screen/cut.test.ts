import { expect, it } from "vitest";
import { cut } from "./cut.ts";

it.each([
  ["", 3, ""],
  ["abc", 3, "abc"],
  ["abcd", 3, "ab…"],
  ["🦔🦔🦔", 3, "🦔🦔🦔"],
  ["🦔🦔🦔🦔", 3, "🦔🦔…"],
])("%j in %i characters is %j", (text, length, expected) => {
  expect(cut(text, length)).toBe(expected);
});
