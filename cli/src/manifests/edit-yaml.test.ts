import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { editPiece, readPiece, splitYaml } from "./edit-yaml.ts";

const kubectl = { version: "1.1", merge: true } as const;

describe("splitYaml", () => {
  it("loses no byte, whatever the text", () => {
    const line = fc.constantFrom(
      "---",
      "--- # c",
      "a: 1",
      "  - x",
      "# c",
      "",
      "...",
      "----",
      "text: |",
      " ---",
      "%YAML 1.1",
      "\r",
    );
    fc.assert(
      fc.property(fc.array(line), fc.constantFrom("\n", "\r\n"), (lines, end) => {
        const text = lines.join(end);
        const pieces = splitYaml(text);
        expect(pieces.map((piece) => piece.text).join("")).toBe(text);
        for (const { text: piece, line: number } of pieces)
          expect(
            text
              .split("\n")
              .slice(number - 1)
              .join("\n")
              .startsWith(piece),
          ).toBe(true);
      }),
    );
  });
});

describe("readPiece", () => {
  it.each(["", "# only\n", "---\n", "--- # x\n\n", "%YAML 1.1\n"])("finds nothing in %j", (text) => {
    expect(readPiece(text)).toEqual({ kind: "nothing" });
  });

  it("reads as kubectl does", () => {
    const text = "a: &a {mode: 0644, on: yes}\nb:\n  <<: *a\n  c: 1\n";
    expect(readPiece(text)).toEqual({
      kind: "value",
      value: { a: { mode: 420, on: true }, b: { mode: 420, on: true, c: 1 } },
    });
  });

  it("says where it is no YAML", () => {
    expect(readPiece("a: 1\nb: [\n")).toMatchObject({ kind: "problem", line: 3 });
    expect(readPiece("a: 1\na: 2\n")).toMatchObject({
      kind: "problem",
      line: 2,
      message: "Map keys must be unique at line 2, column 1:",
    });
  });

  it("does not unfold aliases without end", () => {
    const levels = Array.from({ length: 30 }, (_, n) => `l${n}: &l${n} [${n === 0 ? "x" : `*l${n - 1}, *l${n - 1}`}]`);
    expect(readPiece(levels.join("\n"))).toMatchObject({ kind: "problem" });
  });
});

describe("editPiece", () => {
  const written = `# head
apiVersion: v1 # who
list:
- name: a   # first
  mode: 0644
  on: yes
  big: 9223372036854775807
  time: 1:30
  quoted: 'x'
  block: |
    one
     two
empty:
flow: {a: 1, b: [1, 2]}

# tail
`;

  it("changes what it is told, and leaves every other value as it was written", () => {
    const edited = editPiece(written, [
      {
        op: "add",
        path: ["list", 0],
        value: { name: "z", on: "true", text: 'say "x"', n: 1, none: null, deep: [{ x: "1" }] },
      },
      { op: "replace", path: ["empty"], value: { "hedgerow.dev/x": "1" } },
      { op: "add", path: ["flow", "c"], value: true },
      { op: "remove", path: ["flow", "a"] },
    ]);
    expect(edited).toBe(`# head
apiVersion: v1 # who
list:
- name: z
  "on": "true"
  text: 'say "x"'
  "n": 1
  none: null
  deep:
  - x: "1"
- name: a # first
  mode: 0644
  on: yes
  big: 9223372036854775807
  time: 1:30
  quoted: 'x'
  block: |
    one
     two
empty:
  hedgerow.dev/x: "1"
flow: {b: [1, 2], c: true}

# tail
`);
  });

  it("keeps the indentation of lists", () => {
    const edited = editPiece("a:\n  - b\n", [{ op: "add", path: ["a", 1], value: "c" }]);
    expect(edited).toBe("a:\n  - b\n  - c\n");
  });

  it("writes every text so that it is read as that text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: "binary" }),
          fc.constantFrom("true", "0x1", "1e3", "~", "Null", "2020-01-01", "a: b", "#", "'\"\n", "1:30", "=", "<<"),
        ),
        (text) => {
          const edited = editPiece("a: 1\n", [{ op: "add", path: ["b"], value: [text, { [text]: text }] }]) ?? "";
          expect(parse(edited, { ...kubectl, merge: false })).toEqual({ a: 1, b: [text, { [text]: text }] });
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("does not touch what has aliases, or where it is told of nothing", () => {
    expect(editPiece("a: &a {b: 1}\nc: *a\n", [{ op: "add", path: ["a", "x"], value: 1 }])).toBeUndefined();
    expect(editPiece("a: 1\n", [{ op: "add", path: ["b", "c"], value: 1 }])).toBeUndefined();
    expect(editPiece("a: [1]\n", [{ op: "add", path: ["a", 3], value: 1 }])).toBeUndefined();
  });
});
