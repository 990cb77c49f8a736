import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkObjects, formatProblem, manifestSchemas, parseManifests } from "./index.ts";

const examples = new URL("../../manifests/examples/", import.meta.url);
const invalid = new URL("invalid/", examples);

function manifestsIn(folder: URL): readonly string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".yaml"));
}

test.each(manifestsIn(examples))("example %s has no problems", (name) => {
  const { objects, problems } = parseManifests(name, readFileSync(new URL(name, examples), "utf8"));
  expect(objects.length).toBeGreaterThan(0);
  expect([...problems, ...checkObjects(objects)].map((problem) => formatProblem(problem))).toEqual([]);
});

describe("invalid example", () => {
  // The mistake's line ends with what is said of it.
  test.each(manifestsIn(invalid))("%s is refused for the one reason that stands beside its mistake", (name) => {
    const text = readFileSync(new URL(name, invalid), "utf8");
    const expected = text.split("\n").flatMap((line, index) => {
      const [, message] = / # refused(?: in files)?: (.+)$/.exec(line) ?? [];
      return message === undefined ? [] : [`${index + 1}: ${message}`];
    });
    expect(expected).toHaveLength(1);
    const { objects, problems } = parseManifests(name, text);
    expect(objects).toEqual([]);
    expect(problems.map(({ position, message }) => `${position.line}: ${message}`)).toEqual(expected);
  });

  test("there are some of every kind", () => {
    const kinds = new Set(
      manifestsIn(invalid).flatMap(
        (name) => /^kind: (\w+)/m.exec(readFileSync(new URL(name, invalid), "utf8"))?.[1] ?? [],
      ),
    );
    expect([...kinds]).toEqual(expect.arrayContaining(Object.keys(manifestSchemas)));
  });
});
