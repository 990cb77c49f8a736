import { describe, expect, test } from "vitest";
import { fieldName, nearestName, shownValue } from "./field-name.ts";

describe("fieldName", () => {
  test.each([
    [[], ""],
    [["spec"], "spec"],
    [["spec", "rules", 0, "backendRefs", 1, "weight"], "spec.rules[0].backendRefs[1].weight"],
    [["metadata", "labels", "app.kubernetes.io/name"], 'metadata.labels["app.kubernetes.io/name"]'],
    [["a".repeat(100)], `["${"a".repeat(59)}…"]`],
  ])("%j reads %s", (path, name) => {
    expect(fieldName(path)).toBe(name);
  });
});

describe("nearestName", () => {
  const known = ["trustDomain", "identity", "access", "from", "to"];
  test.each([
    ["trustDomian", "trustDomain"],
    ["trustdomain", "trustDomain"],
    ["acces", "access"],
    ["form", "from"],
    ["frm", "from"],
    ["models", undefined],
    ["xy", undefined],
    ["", undefined],
  ])("%s is most likely %s", (written, meant) => {
    expect(nearestName(written, known)).toBe(meant);
  });

  test("a hostile length costs nothing", () => {
    expect(nearestName("a".repeat(1_000_000), known)).toBe(undefined);
  });
});

test("a long value is cut, a collection named by its shape", () => {
  expect(shownValue("x".repeat(1000))).toHaveLength(62);
  expect(shownValue('a "b"')).toBe('"a \\"b\\""');
  expect([null, true, 1.5, [1], { a: 1 }].map(shownValue)).toEqual(["null", "true", "1.5", "a list", "a mapping"]);
});
