import { describe, expect, test } from "vitest";
import { supersedes } from "./judge.ts";

const ours = {
  nodeId: "models/a",
  policy: "models/audit",
  closed: false,
  seq: 5,
  head: "h",
  digest: "d",
  openedAtMs: 1_000,
} as const;

describe("what another replica witnessed", () => {
  test("is news where nothing is known", () => {
    expect(supersedes(ours, undefined)).toBe(true);
  });

  test.each([
    ["further", { seq: 6 }, true],
    ["as far", {}, false],
    ["less far", { seq: 4 }, false],
    ["closed at the same place", { closed: true }, true],
    ["closed, though less far", { closed: true, seq: 4 }, true],
    ["another's that began later, however far", { nodeId: "models/b", openedAtMs: 2_000, seq: 9 }, false],
    ["another's that began before", { nodeId: "models/b", openedAtMs: 500, seq: 1 }, true],
  ])("takes the place of what is known, or not: %s", (_, changes, expected) => {
    expect(supersedes({ ...ours, ...changes }, ours)).toBe(expected);
  });

  test("opens nothing that was closed", () => {
    expect(supersedes({ ...ours, seq: 9 }, { ...ours, closed: true })).toBe(false);
  });
});
