import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diff, jsonPatch } from "./json-patch.ts";
import { applyPatch } from "./testing/apply-patch.ts";

const patched = (before: unknown, after: unknown) => applyPatch(before, jsonPatch(diff(before, after)));

describe("diff", () => {
  it("says nothing of what is the same", () => {
    const same = { a: [1, { name: "x" }] };
    expect(diff(same, same)).toEqual([]);
    expect(diff(same, { ...same })).toEqual([]);
  });

  it("names an entry of a list by its name, so that what stands before it does not make it another", () => {
    const before = { list: [{ name: "a", v: 1 }, { name: "b" }] };
    const after = { list: [{ name: "new" }, { name: "a", v: 2 }, before.list[1]] };
    expect(jsonPatch(diff(before, after))).toEqual([
      { op: "add", path: "/list/0", value: { name: "new" } },
      { op: "replace", path: "/list/1/v", value: 2 },
    ]);
  });

  it("escapes names as RFC 6901 does", () => {
    expect(jsonPatch(diff({}, { "a/b~c": 1 }))).toEqual([{ op: "add", path: "/a~1b~0c", value: 1 }]);
  });

  it("makes the one of the other, whatever they are", () => {
    const named = fc.record({ name: fc.constantFrom("a", "b", "c"), v: fc.integer({ max: 2, min: 0 }) });
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.integer({ min: 0, max: 3 }),
        fc.constantFrom(null, "", "x/y", "~0"),
        named,
        fc.array(tie("any"), { maxLength: 4 }),
        fc.array(named, { maxLength: 5 }),
        fc.dictionary(fc.constantFrom("", "a", "b/c", "~", "__proto__"), tie("any")),
      ),
    })).any;
    fc.assert(
      fc.property(value, value, (before, after) => {
        expect(patched(before, after)).toEqual(after);
      }),
      { numRuns: 2000 },
    );
  });
});
