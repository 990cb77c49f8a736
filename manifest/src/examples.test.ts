import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkObjects, formatProblem, parseManifests } from "./index.ts";

const examples = new URL("../../manifests/examples/", import.meta.url);

test.each(readdirSync(examples).filter((name) => name.endsWith(".yaml")))("example %s has no problems", (name) => {
  const { objects, problems } = parseManifests(name, readFileSync(new URL(name, examples), "utf8"));
  expect(objects.length).toBeGreaterThan(0);
  expect([...problems, ...checkObjects(objects)].map((problem) => formatProblem(problem))).toEqual([]);
});
