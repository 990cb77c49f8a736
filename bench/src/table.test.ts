import { expect, test } from "vitest";
import { formatTable } from "./table.ts";

test("a table without rows is empty", () => {
  expect(formatTable([])).toBe("");
});

test("numbers stand to the right with three significant digits, texts to the left", () => {
  const rows = [
    { part: "control plane", "RSS MiB": 91.234, "start ms": 1234.5, share: 0.12345 },
    { part: "agent", "RSS MiB": 7.015, "start ms": 80, share: 12 },
  ];
  expect(formatTable(rows)).toBe(`part           RSS MiB  start ms  share
control plane     91.2      1235  0.123
agent             7.01        80     12
`);
});

test("a column with a gap is a column of texts", () => {
  expect(formatTable([{ a: 1 }, { a: "–" }])).toBe("a\n1\n–\n");
});
