import { formatProblem, objectKey, objectRef, parseFile } from "@hedgerow/manifest";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FileState, mergeLastGood } from "./merge.ts";
import { nothingGood, type SourceView, viewOf } from "./source-view.ts";

function workload(name: string, port = 1, region = "a"): string {
  return `apiVersion: hedgerow.dev/v1alpha1
kind: Workload
metadata: {name: ${name}}
spec:
  serviceAccount: sa
  region: ${region}
  address: 10.0.0.1
  inbound: [{port: ${port}, appPort: 80, protocol: grpc}]
---
`;
}

type Files = Readonly<Record<string, string>>;

function state(file: string, text: string): FileState {
  return { file, ...parseFile(file, text) };
}

/** Merges one state of the disk after another. */
function follow(...steps: readonly Files[]): SourceView {
  let view: SourceView = viewOf(nothingGood);
  for (const files of steps)
    view = mergeLastGood(view, {
      files: Object.entries(files).map(([file, text]) => state(file, text)),
      unsettled: new Set(),
    });
  return view;
}

function shown({ objects, problems, stale, generations }: SourceView) {
  return {
    objects: objects.map(({ manifest, file }) => {
      const port = manifest.kind === "Workload" ? manifest.spec.inbound[0]?.port : undefined;
      return `${manifest.metadata.name}:${port} in ${file} (${generations.get(objectKey(objectRef(manifest)))})`;
    }),
    problems: problems.map((problem) => formatProblem(problem)),
    stale: Object.fromEntries([...stale].map(([key, why]) => [key, why.map((problem) => problem.message)])),
  };
}

const fine = { problems: [], stale: {} };
const missing = "missing field spec.serviceAccount";
const broken = (text: string) => text.replace("  serviceAccount: sa\n", "");
const duplicate = (place: string) => `Workload/default/a is already written at ${place}`;

test("what never was valid is told apart from what stands at an older version", () => {
  const named = ({ neverGood }: SourceView) => neverGood.map(({ ref, problems }) => [objectKey(ref), problems.length]);
  const first = follow({ "a.yaml": workload("old") });
  expect(named(first)).toEqual([]);
  const files = {
    "a.yaml": broken(workload("old")) + broken(workload("new", 2)),
    "b.yaml": broken(workload("new", 3)),
  };
  const second = follow({ "a.yaml": workload("old") }, files);
  expect(named(second)).toEqual([["Workload/default/new", 2]]);
  expect([...second.stale.keys()]).toEqual(["Workload/default/old"]);
  expect(named(follow({ "a.yaml": workload("one"), "b.yaml": workload("two") }))).toEqual([
    ["Workload/default/two", 1],
  ]);
});

describe("after changes on disk", () => {
  test.each<[name: string, steps: readonly Files[], view: ReturnType<typeof shown>]>([
    ["nothing is nothing", [{}], { objects: [], ...fine }],
    [
      "what is valid stands, ordered by key",
      [{ "x.yaml": workload("b", 2) + workload("a") }],
      {
        objects: ["a:1 in x.yaml (1)", "b:2 in x.yaml (1)"],
        ...fine,
      },
    ],
    [
      "changed content is a new generation",
      [{ "x.yaml": workload("a", 1) }, { "x.yaml": workload("a", 2) }],
      {
        objects: ["a:2 in x.yaml (2)"],
        ...fine,
      },
    ],
    [
      "a comment, another place and another file are none",
      [{ "x.yaml": workload("a") }, { "x.yaml": `# why\n\n${workload("a")}` }, { "y.yaml": workload("a") }],
      { objects: ["a:1 in y.yaml (1)"], ...fine },
    ],
    [
      "what is gone goes, and begins anew",
      [{ "x.yaml": workload("a", 2) }, {}, { "x.yaml": workload("a") }],
      {
        objects: ["a:1 in x.yaml (1)"],
        ...fine,
      },
    ],
    [
      "what is broken leaves its last good version, and the rest flows",
      [{ "x.yaml": workload("a") + workload("b", 2) }, { "x.yaml": broken(workload("a", 5)) + workload("b", 3) }],
      {
        objects: ["a:1 in x.yaml (1)", "b:3 in x.yaml (2)"],
        problems: [`x.yaml:4:1: ${missing}`],
        stale: { "Workload/default/a": [missing] },
      },
    ],
    [
      "what was never valid is only a problem",
      [{ "x.yaml": broken(workload("a")) }],
      {
        objects: [],
        problems: [`x.yaml:4:1: ${missing}`],
        stale: {},
      },
    ],
    [
      "what is repaired moves on by one generation",
      [{ "x.yaml": workload("a", 1) }, { "x.yaml": broken(workload("a", 2)) }, { "x.yaml": workload("a", 3) }],
      { objects: ["a:3 in x.yaml (2)"], ...fine },
    ],
    [
      "what is broken and moves to another file keeps its version",
      [{ "x.yaml": workload("a") }, { "y.yaml": broken(workload("a")) }],
      {
        objects: ["a:1 in x.yaml (1)"],
        problems: [`y.yaml:4:1: ${missing}`],
        stale: { "Workload/default/a": [missing] },
      },
    ],
    [
      "a document of unknown meaning may be any that is missing from its file",
      [
        { "x.yaml": workload("a") + workload("b", 2), "y.yaml": workload("c", 3) },
        { "x.yaml": workload("a").replace("kind: Workload", "kind: Workloda") + workload("b", 4) },
      ],
      {
        objects: ["a:1 in x.yaml (1)", "b:4 in x.yaml (2)"],
        problems: ['x.yaml:2:7: unknown kind "Workloda"; did you mean Workload?'],
        stale: { "Workload/default/a": ['unknown kind "Workloda"; did you mean Workload?'] },
      },
    ],
    [
      "of one object in two files the first known stands",
      [{ "x.yaml": workload("a", 1) }, { "a.yaml": workload("a", 2), "x.yaml": workload("a", 1) }],
      { objects: ["a:1 in x.yaml (1)"], problems: [`a.yaml:3:18: ${duplicate("x.yaml:3:18")}`], stale: {} },
    ],
    [
      "even where it changes at the same time",
      [{ "x.yaml": workload("a", 1) }, { "a.yaml": workload("a", 2), "x.yaml": workload("a", 3) }],
      { objects: ["a:3 in x.yaml (2)"], problems: [`a.yaml:3:18: ${duplicate("x.yaml:3:18")}`], stale: {} },
    ],
    [
      "a change that excludes another object is refused, and its last good version stands",
      [{ "x.yaml": workload("a", 1) + workload("b", 2) }, { "x.yaml": workload("a", 2) + workload("b", 2) }],
      {
        objects: ["a:1 in x.yaml (1)", "b:2 in x.yaml (1)"],
        problems: ["x.yaml:8:20: 10.0.0.1:2 already belongs to the Workload at x.yaml:17:20"],
        stale: { "Workload/default/a": ["10.0.0.1:2 already belongs to the Workload at x.yaml:17:20"] },
      },
    ],
    // a wants b's port and is refused; c wanted the port that a would have left.
    [
      "and takes back what others wanted of it",
      [
        { "x.yaml": workload("a", 1) + workload("b", 2) + workload("c", 3) },
        { "x.yaml": workload("a", 2) + workload("b", 2) + workload("c", 1) },
      ],
      {
        objects: ["a:1 in x.yaml (1)", "b:2 in x.yaml (1)", "c:3 in x.yaml (1)"],
        problems: [
          "x.yaml:8:20: 10.0.0.1:2 already belongs to the Workload at x.yaml:17:20",
          "x.yaml:26:20: 10.0.0.1:1 already belongs to the Workload at x.yaml:8:20",
        ],
        stale: {
          "Workload/default/a": ["10.0.0.1:2 already belongs to the Workload at x.yaml:17:20"],
          "Workload/default/c": ["10.0.0.1:1 already belongs to the Workload at x.yaml:8:20"],
        },
      },
    ],
    [
      "two that swap ports are no conflict",
      [{ "x.yaml": workload("a", 1) + workload("b", 2) }, { "x.yaml": workload("a", 2) + workload("b", 1) }],
      { objects: ["a:2 in x.yaml (2)", "b:1 in x.yaml (2)"], ...fine },
    ],
  ])("%s", (_name, steps, view) => {
    expect(shown(follow(...steps))).toEqual(view);
  });
});

describe("what cannot be seen", () => {
  const before = follow({ "in/x.yaml": workload("a"), "y.yaml": workload("b", 2), "index.yaml": workload("c", 3) });
  const unreadable = (file: string): FileState => ({
    file,
    documents: [],
    problems: [{ position: { file, line: 0, column: 0 }, field: "", code: "unreadable", message: "no" }],
  });

  test.each([
    ["in/x.yaml", ["a"]],
    ["in", ["a"]],
    ["y.yaml", ["b"]],
    [".", ["a", "b", "c"]],
  ])("%s leaves what stood in it", (place, names) => {
    const view = mergeLastGood(before, { files: [unreadable(place)], unsettled: new Set() });
    expect(view.objects.map(({ manifest }) => manifest.metadata.name)).toEqual(names);
    expect([...view.stale.keys()]).toEqual(names.map((name) => `Workload/default/${name}`));
  });

  test("a file that has not come to rest leaves what stood in it, and is nobody's mistake", () => {
    const view = mergeLastGood(before, { files: [], unsettled: new Set(["y.yaml"]) });
    expect(view.objects.map(({ manifest }) => manifest.metadata.name)).toEqual(["b"]);
    expect(view.stale.size).toBe(0);
  });
});

test("whatever is written: each object once, stale ones stand, every one has a generation, no two exclude each other", () => {
  const document = fc
    .tuple(fc.constantFrom("a", "b", "c"), fc.integer({ min: 1, max: 3 }), fc.constantFrom("good", "bad", "unknown"))
    .map(([name, port, how]) => {
      const text = workload(name, port);
      return how === "good" ? text : how === "bad" ? broken(text) : "kind: what\n---\n";
    });
  const disk = fc.dictionary(fc.constantFrom("x.yaml", "y.yaml", "d/z.yaml"), fc.array(document, { maxLength: 4 }));
  fc.assert(
    fc.property(fc.array(disk, { minLength: 1, maxLength: 4 }), (steps) => {
      const view = follow(
        ...steps.map((files) =>
          Object.fromEntries(Object.entries(files).map(([file, texts]) => [file, texts.join("")])),
        ),
      );
      const keys = view.objects.map(({ manifest }) => objectKey(objectRef(manifest)));
      expect(new Set(keys).size).toBe(keys.length);
      expect(keys.toSorted()).toEqual(keys);
      for (const key of view.stale.keys()) expect(keys).toContain(key);
      expect([...view.generations.keys()].toSorted()).toEqual(keys);
      expect(view.problems.length).toBeGreaterThanOrEqual(Math.sign(view.stale.size));
      // Ports are the mesh's: no two that stand have the same.
      const ports = view.objects.map(({ manifest }) =>
        manifest.kind === "Workload" ? manifest.spec.inbound[0]?.port : 0,
      );
      expect(new Set(ports).size).toBe(ports.length);
    }),
  );
});
