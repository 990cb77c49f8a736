// The xDS of every example and of every mesh of pods, kept as text: review its diff as code. `npm run golden` rewrites it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkConsistency } from "../src/snapshot/consistency.ts";
import type { NodeId, ProxySnapshot } from "../src/snapshot/snapshot.ts";
import { renderValue, resourcesJson, TYPE_NAMES, type TypeName } from "../src/snapshot/yaml.ts";
import { translate } from "../src/translate/translate.ts";
import { capturedModels } from "./captured-models.ts";
import { build, readExample } from "./mesh.ts";

const examples = join(import.meta.dirname, "../../manifests/examples");
const golden = join(import.meta.dirname, "golden");
const exampleNames = readdirSync(examples)
  .filter((file) => file.endsWith(".yaml"))
  .map((file) => basename(file, ".yaml"));
const cases = [...exampleNames, ...Object.keys(capturedModels)];

if (process.env["GOLDEN"] === "write") {
  rmSync(golden, { recursive: true, force: true });
  for (const name of cases) {
    mkdirSync(join(golden, name), { recursive: true });
    for (const [file, text] of rendered(name)) writeFileSync(join(golden, name, file), text);
  }
}

describe.each(cases)("%s", (name) => {
  test("gives the xDS that is written down", () => {
    for (const [file, text] of rendered(name)) {
      const path = join(golden, name, file);
      expect(text, `${path}: npm run golden`).toBe(existsSync(path) ? readFileSync(path, "utf8") : undefined);
    }
  });

  test("has nothing that does not resolve", () => {
    expect(checkConsistency(snapshotOf(name))).toEqual([]);
  });
});

test.each(exampleNames)("example %s has nothing wrong", (name) => {
  expect(build(readExample(join(examples, `${name}.yaml`))).findings).toEqual([]);
});

test("nothing is written down for examples that are gone", () => {
  expect(readdirSync(golden).toSorted()).toEqual(cases.toSorted());
});

function snapshotOf(name: string): ReadonlyMap<NodeId, ProxySnapshot> {
  const model = capturedModels[name];
  return model === undefined ? build(readExample(join(examples, `${name}.yaml`))).snapshot : translate(model);
}

function rendered(name: string): readonly (readonly [file: string, text: string])[] {
  const snapshot = snapshotOf(name);
  return (Object.keys(TYPE_NAMES) as TypeName[]).map((type) => {
    const byProxy = [...snapshot.values()].map((proxy) => [proxy.nodeId, resourcesJson(proxy, type)]);
    return [`${type}.yaml`, renderValue(Object.fromEntries(byProxy))];
  });
}
