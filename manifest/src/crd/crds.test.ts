// What an operator installs, kept as text: review its diff as code. `npm run golden` rewrites it.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { customResourceDefinitions } from "./definitions.ts";

const folder = new URL("../../../manifests/crds/", import.meta.url);
const written = customResourceDefinitions().map((definition) => ({
  file: `hedgerow.dev_${definition.spec.names.plural}.yaml`,
  text: `# Generated from manifest/src/kinds: npm run golden\n${stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false })}`,
}));

if (process.env["GOLDEN"] === "write") {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.startsWith("hedgerow.dev_")) rmSync(new URL(name, folder));
  for (const { file, text } of written) writeFileSync(new URL(file, folder), text);
}

test.each(written)("$file is what the schemas say", ({ file, text }) => {
  expect(readFileSync(new URL(file, folder), "utf8"), "npm run golden").toBe(text);
});

test("there is no other", () => {
  const files = readdirSync(folder).filter((name) => name.startsWith("hedgerow.dev_"));
  expect(files.toSorted()).toEqual(written.map(({ file }) => file).toSorted());
});
