import { stripVTControlCharacters } from "node:util";
import fc from "fast-check";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { coloured } from "./paint.ts";
import { renderTable, type Table } from "./table.ts";

const table = (titles: string[], ...rows: string[][]): Table => ({
  titles,
  rows: rows.map((row) => row.map((text) => ({ text }))),
});

describe("renderTable", () => {
  it("prints the titles alone when there are no rows", () => {
    expect(renderTable(table(["A", "LONGER"]))).toBe("A  LONGER\n");
  });

  it("aligns columns, and leaves no spaces at the ends of lines", () => {
    expect(renderTable(table(["NAME", "WHY"], ["a", ""], ["longer", "because"]))).toBe(
      ["NAME    WHY", "a", "longer  because", ""].join("\n"),
    );
  });

  it("measures what a terminal shows: wide, combining and joined characters", () => {
    expect(renderTable(table(["NAME", "WHY"], ["模型", "x"], ["e\u0301e", "y"], ["👩‍💻", "z"]))).toBe(
      ["NAME  WHY", "模型  x", "e\u0301e    y", "👩‍💻    z", ""].join("\n"),
    );
  });

  it("never breaks a row where the width is unknown, as in a pipe", () => {
    const long = "word ".repeat(100).trim();
    expect(renderTable(table(["NAME", "WHY"], ["a", long]))).toBe(`NAME  WHY\na     ${long}\n`);
  });

  it("wraps the last column under itself where the terminal is narrow", () => {
    const rows = table(["NAME", "WHY"], ["digits", "the quick brown fox jumps over the lazy dog"]);
    expect(renderTable(rows, { columns: 50 })).toBe(
      ["NAME    WHY", "digits  the quick brown fox jumps over the lazy", "        dog", ""].join("\n"),
    );
  });

  it("puts the last column below its row where nearly nothing is left for it", () => {
    const rows = table(["NAME", "WHY"], ["a".repeat(30), "the quick brown fox jumps over the lazy dog"], ["b", ""]);
    expect(renderTable(rows, { columns: 40 })).toBe(
      ["NAME", "a".repeat(30), "    the quick brown fox jumps over the", "    lazy dog", "b", ""].join("\n"),
    );
  });

  it("never breaks a word, so that a path can be copied", () => {
    const path = `${"/path".repeat(12)}:14:9`;
    expect(renderTable(table(["NAME", "WHY"], ["a", `see ${path} there`]), { columns: 50 })).toBe(
      ["NAME  WHY", "a     see", `      ${path}`, "      there", ""].join("\n"),
    );
  });

  it("colours without moving anything", () => {
    const cells: Table = {
      titles: ["A", "B", "C"],
      rows: [[{ text: "no", style: "bad" }, { text: "x" }, { text: "y" }]],
    };
    const painted = renderTable(cells, { paint: coloured });
    expect(painted).toContain("\u001b[31mno\u001b[39m");
    expect(stripVTControlCharacters(painted)).toBe(renderTable(cells));
  });

  it("lets no cell drive the terminal or fill more than its line", () => {
    const rows = table(["NAME", "WHY"], ["a\u001b[31m", "one\ntwo\r\u0007\u202ethree\u009b2J"]);
    expect(renderTable(rows)).toBe(["NAME    WHY", "a\ufffd[31m  one two \ufffd\ufffdthree\ufffd2J", ""].join("\n"));
  });

  it("keeps every word and every line within the terminal, whatever the words", () => {
    const words = fc.array(fc.stringMatching(/^[a-z模]{1,8}$/), { maxLength: 30 });
    fc.assert(
      fc.property(words, fc.integer({ min: 54, max: 120 }), (why, columns) => {
        const text = renderTable(table(["NAME", "WHY"], ["digits", why.join(" ")]), { columns });
        expect(
          text
            .split(/\s+/)
            .filter((word) => word !== "")
            .slice(2),
        ).toEqual(["digits", ...why]);
        for (const line of text.split("\n")) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
      }),
    );
  });
});
