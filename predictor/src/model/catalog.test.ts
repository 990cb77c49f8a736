import { expect, test } from "vitest";
import { buildCatalog, resolveModel } from "./catalog.ts";
import type { ModelSignature } from "./signature.ts";

const model = (name: string, version: string): ModelSignature => ({
  name,
  version,
  sha256: "",
  inputs: [],
  outputs: [],
});
const catalog = buildCatalog([model("digits", "2"), model("digits", "10"), model("digits", "9"), model("other", "1")]);

test("empty: no model is found", () => {
  expect(resolveModel(buildCatalog([]), "digits", "")).toEqual({ ok: false, problem: 'no model is named "digits"' });
});

test.each([
  ["digits", "", "10"],
  ["digits", "2", "2"],
  ["other", "", "1"],
])("%s, version %j: %s", (name, version, expected) => {
  const resolved = resolveModel(catalog, name, version);
  expect(resolved.ok && resolved.value.version).toBe(expected);
});

test.each([
  ["digits", "3", 'model "digits" has no version "3", only 10, 9, 2'],
  ["digits", "02", 'model "digits" has no version "02", only 10, 9, 2'],
  ["__proto__", "", 'no model is named "__proto__"'],
  ["x".repeat(100), "", `no model is named "${"x".repeat(64)}…"`],
])("%s, version %j is refused", (name, version, problem) => {
  expect(resolveModel(catalog, name, version)).toEqual({ ok: false, problem });
});
