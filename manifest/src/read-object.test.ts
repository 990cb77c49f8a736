import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { defaultParseLimits, parseFile, readObject, withoutLines } from "./index.ts";

const folder = new URL("../../manifests/examples/", import.meta.url);
const examples: readonly unknown[] = readdirSync(folder)
  .filter((name) => name.endsWith(".yaml"))
  .flatMap((name) => parseAllDocuments(readFileSync(new URL(name, folder), "utf8")).map((one): unknown => one.toJS()));

/** What both readers say, the places left out. */
function saidOfText(text: string): unknown {
  const { documents, problems } = parseFile("f", text);
  const said = [...documents.flatMap((document) => document.problems), ...problems];
  return said.map(({ field, code, message }) => ({ field, code, message }));
}

function saidOfObject(value: unknown): unknown {
  return readObject(value, "f").problems.map(({ field, code, message }) => ({ field, code, message }));
}

const meshConfig = {
  apiVersion: "hedgerow.dev/v1alpha1",
  kind: "MeshConfig",
  metadata: { name: "mesh", namespace: "hedgerow-system" },
  spec: { trustDomain: "bank.ae" },
};

test("an object as an API server has it", () => {
  const value = {
    ...meshConfig,
    metadata: {
      ...meshConfig.metadata,
      uid: "1f1a3f6e-0d3b-4f0e-9e0b-1f1a3f6e0d3b",
      resourceVersion: "812",
      generation: 3,
      creationTimestamp: "2026-11-24T10:00:00Z",
      managedFields: [{ manager: "kubectl", operation: "Apply", fieldsV1: { "f:spec": {} } }],
    },
    status: { conditions: [] },
  };
  const { ref, object, problems } = readObject(value, "MeshConfig/hedgerow-system/mesh");
  expect(problems).toEqual([]);
  expect(ref).toEqual({ kind: "MeshConfig", namespace: "hedgerow-system", name: "mesh" });
  expect(object?.manifest.metadata.creationTimestamp).toBe("2026-11-24T10:00:00Z");
  const nowhere = { file: "MeshConfig/hedgerow-system/mesh", line: 0, column: 0 };
  expect([object?.line, object?.positionOf(["spec", "trustDomain"])]).toEqual([0, nowhere]);
});

test("problems stand in the order of the fields, without lines", () => {
  const { ref, object, problems } = readObject(
    { ...meshConfig, extra: 1, spec: { trustDomian: "bank.ae", access: { default: "deyn" } } },
    "f",
  );
  expect([ref?.name, object]).toEqual(["mesh", undefined]);
  expect(problems.map(({ field }) => field)).toEqual(["spec.trustDomian", "spec.access.default", "extra"]);
  expect(problems[0]).toEqual({
    position: { file: "f", line: 0, column: 0 },
    field: "spec.trustDomian",
    code: "unknown_field",
    message: "unknown field spec.trustDomian; did you mean trustDomain?",
  });
});

test.each<[name: string, value: unknown, messages: readonly string[]]>([
  ["nothing", undefined, ["document must be a mapping with apiVersion, kind, metadata and spec, not null"]],
  ["a list", [], ["document must be a mapping with apiVersion, kind, metadata and spec, not a list"]],
  ["no kind", {}, ["missing field kind"]],
  [
    "a field that no object can have",
    JSON.parse(`{"__proto__": 1, "kind": "Workload"}`),
    ["unknown field __proto__", "missing field apiVersion", "missing field metadata", "missing field spec"],
  ],
  ["a field left undefined is left out", { ...meshConfig, status: undefined, extra: undefined }, []],
])("%s", (_name, value, messages) => {
  expect(
    readObject(value, "f")
      .problems.map(({ message }) => message)
      .toSorted(),
  ).toEqual(messages.toSorted());
});

describe("limits", () => {
  const cyclic: Record<string, unknown> = { kind: "Workload" };
  cyclic["spec"] = [cyclic, cyclic];
  const notes = (length: number) => ({
    ...meshConfig,
    metadata: { ...meshConfig.metadata, annotations: { note: "é".repeat(length) } },
  });
  test.each<[name: string, value: unknown, message: string]>([
    ["depth", cyclic, "nested more than 64 levels deep"],
    ["values", { list: Array.from({ length: 100_000 }, () => 1) }, "document has more than 100000 values"],
    ["bytes", notes(defaultParseLimits.bytes / 2), "object has more than 1048576 bytes"],
  ])("of %s", (_name, value, message) => {
    const read = readObject(value, "f");
    expect([read.object, read.problems.map((problem) => problem.message)]).toEqual([undefined, [message]]);
  });

  test("of bytes: what just fits is read, and can be read again", () => {
    const { object } = readObject(notes(defaultParseLimits.bytes / 2 - 200), "f");
    expect(parseFile("f", object?.text ?? "").documents[0]?.object?.manifest).toEqual(object?.manifest);
  });

  test("of bytes: what is not read does not count", () => {
    const managed = { ...meshConfig.metadata, managedFields: ["x".repeat(defaultParseLimits.bytes)] };
    expect(readObject({ ...meshConfig, metadata: managed }, "f").problems).toEqual([]);
  });
});

describe("properties", () => {
  /** Replaces, adds or removes one field somewhere. */
  function mutate(value: unknown, steps: readonly number[], replacement: unknown): unknown {
    const [step = 0, ...rest] = steps;
    if (typeof value !== "object" || value === null || rest.length === 0) return replacement;
    if (Array.isArray(value)) {
      const at = step % (value.length + 1);
      return [...value.slice(0, at), mutate(value[at], rest, replacement), ...value.slice(at + 1)];
    }
    const entries = Object.entries(value);
    const entry = entries[step % (entries.length + 1)];
    if (entry === undefined) return { ...value, added: replacement };
    const [name, inner] = entry;
    return { ...value, [name]: mutate(inner, rest, replacement) };
  }
  const mutated = fc
    .tuple(
      fc.constantFrom(...examples),
      fc.array(fc.nat({ max: 20 }), { minLength: 1, maxLength: 7 }),
      fc.oneof(
        fc.jsonValue(),
        fc.constantFrom(0, 1, 65535, 65536, -1, 1.5, "", "a", "a/b", "::1", "10s", "Service", "infer"),
        fc.string({ unit: "grapheme" }),
      ),
    )
    .map(([value, steps, replacement]) => mutate(value, steps, replacement))
    // A document of nothing is none in a file.
    .filter((value) => value !== null && JSON.stringify(value) !== '""');

  test("says what parseFile says of the same content, and reads the same", () => {
    fc.assert(
      fc.property(mutated, (value) => {
        const text = stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
        expect(saidOfObject(value)).toEqual(saidOfText(text));
        const [document] = parseFile("f", text).documents;
        const { ref, object } = readObject(value, "f");
        expect(ref).toEqual(document?.ref);
        expect(object?.manifest).toEqual(document?.object?.manifest);
      }),
      { numRuns: 800 },
    );
  });

  test("text reads back to the same object", () => {
    const named = fc
      .tuple(fc.constantFrom(...examples), fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })))
      .map(([value, annotations]) => {
        const object = typeof value === "object" && value !== null && "metadata" in value ? value : meshConfig;
        const metadata = typeof object.metadata === "object" ? object.metadata : meshConfig.metadata;
        return { ...object, metadata: { ...metadata, annotations } };
      });
    fc.assert(
      fc.property(fc.oneof(mutated, named), (value) => {
        const { object } = readObject(value, "f");
        if (object === undefined) return;
        const [again] = parseFile("f", object.text).documents;
        expect(again?.problems).toEqual([]);
        expect(again?.object?.manifest).toEqual(object.manifest);
        if (again?.object === undefined) return;
        const restored = withoutLines(again.object);
        expect([restored.line, restored.positionOf([])]).toEqual([object.line, object.positionOf([])]);
      }),
      { numRuns: 500 },
    );
  });

  test("never throws, whatever the value", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
        (value) => {
          const { object, problems } = readObject(value, "f");
          expect(object === undefined).toBe(problems.length > 0);
        },
      ),
      { numRuns: 500 },
    );
  });
});

test("a thousand objects take no more than a tenth of a second of a processor", () => {
  const routes = examples.filter((value) => JSON.stringify(value).includes("HTTPRoute"));
  const values = Array.from({ length: 1000 }, (_, index): unknown =>
    JSON.parse(JSON.stringify(routes[index % routes.length])),
  );
  for (const value of values) expect(readObject(value, "f").object).toBeDefined();
  // Of a processor, not of the clock: other tests run beside this one.
  const times = Array.from({ length: 10 }, () => {
    const start = process.cpuUsage();
    for (const value of values) readObject(value, "f");
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  });
  expect(Math.min(...times)).toBeLessThan(100);
});
