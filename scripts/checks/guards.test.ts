// A guard that reads nothing passes. Each tool runs here as `npm run check` runs it, with this repository's configuration,
// on a tree with planted violations that it must find and on a clean one that it must pass.
import { cpSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plantTree } from "../testing/planted-tree.ts";
import { checksFor } from "./list.ts";
import { type CheckResult, runCheck } from "./run-check.ts";

const repository = resolve(import.meta.dirname, "../..");
const configuration = ["biome.json", ".gitignore", ".oxlintrc.json", "buf.yaml", "knip.json", "tsconfig.base.json"];
type CheckName = Exclude<keyof ReturnType<typeof checksFor>, "layers" | "licences">;
const names: readonly CheckName[] = ["types", "lint with types", "unused code", "format and lint", "protocol buffers"];

const clean = {
  "package.json": `${JSON.stringify({ name: "planted", private: true, type: "module", workspaces: ["manifest"] }, null, 2)}\n`,
  "tsconfig.json": '{ "files": [], "references": [{ "path": "./manifest" }] }\n',
  "manifest/package.json": readFileSync(join(repository, "manifest/package.json"), "utf8"),
  "manifest/tsconfig.json": readFileSync(join(repository, "manifest/tsconfig.json"), "utf8"),
  "manifest/src/index.ts": `import { parse } from "yaml";
import { z } from "zod";

export const read = (text: string): string => z.string().parse(parse(text));
`,
  "proto/hedgerow/planted/v1/planted.proto": `syntax = "proto3";

package hedgerow.planted.v1;

message Planted {
  string node_id = 1;
}
`,
  // buf.yaml includes them, so they must be there.
  "proto/inference/planted.proto": 'syntax = "proto3";\n\npackage inference;\n',
  "proto/grpc/planted.proto": 'syntax = "proto3";\n\npackage grpc;\n',
};

const violations = {
  "manifest/src/promises.ts": `export const later = async (): Promise<number> => 1;
later();
[1].forEach(async () => {
  await later();
});
`,
  "manifest/src/switches.ts": `type Kind = "a" | "b";
export function missing(kind: Kind): number {
  switch (kind) {
    case "a":
      return 1;
  }
  return 2;
}
export function defaulted(kind: Kind): number {
  switch (kind) {
    case "a":
      return 1;
    default:
      return 2;
  }
}
`,
  "manifest/src/types.ts": `export const anything = (value: any): number => value;
export const sure = (value: number | undefined): number => value!;
export enum Kind {
  A = "a",
}
export default sure;
export const first = (values: readonly number[]): number => values[0];
`,
  "manifest/src/cycle-a.ts": 'import { b } from "./cycle-b.ts";\n\nexport const a = (): number => b();\n',
  "manifest/src/cycle-b.ts": 'import { a } from "./cycle-a.ts";\n\nexport const b = (): number => a();\n',
  "manifest/src/index.ts": `import "./promises.ts";
import "./switches.ts";
import "./types.ts";
import "vitest";

export   const unformatted = 1;
`,
  "manifest/src/forgotten.ts": "export const forgotten = 1;\n",
  "proto/hedgerow/planted/v1/planted.proto": `syntax = "proto3";

package hedgerow.planted.v1;

message planted {
  string nodeId = 1;
}
`,
};

/** What each check says of a tree with `files`. */
async function judge(files: Readonly<Record<string, string>>): Promise<ReadonlyMap<CheckName, CheckResult>> {
  using tree = plantTree(files);
  const { root } = tree;
  for (const name of configuration) cpSync(join(repository, name), join(root, name));
  for (const name of ["node_modules", ".cache"]) symlinkSync(join(repository, name), join(root, name));
  mkdirSync(join(root, "scripts"));
  const checks = checksFor(root, ["manifest"]);
  const results = new Map<CheckName, CheckResult>();
  for (const name of names) results.set(name, await runCheck(checks[name], root));
  return results;
}

let path: string | undefined;
beforeAll(() => {
  path = process.env["PATH"];
  process.env["PATH"] = join(repository, "node_modules/.bin") + delimiter + path;
});
afterAll(() => {
  process.env["PATH"] = path;
});

describe("the guards", () => {
  test("pass a clean tree", async () => {
    const failed = [...(await judge(clean))].filter(([, { passed }]) => !passed);
    expect(failed).toEqual([]);
  });

  test("bite every planted violation", async () => {
    const results = await judge({ ...clean, ...violations });
    const expected: Readonly<Record<CheckName, readonly RegExp[]>> = {
      types: [/types\.ts\(3,13\): error TS1294/, /types\.ts\(7,\d+\): error TS2322/],
      "lint with types": [
        /no-floating-promises[\s\S]*promises\.ts:2/,
        /no-misused-promises[\s\S]*promises\.ts:3/,
        /switch-exhaustiveness-check[\s\S]*switches\.ts:3/,
        /switch-exhaustiveness-check[\s\S]*switches\.ts:10/,
        /no-unsafe-return[\s\S]*types\.ts:1/,
      ],
      "unused code": [/forgotten\.ts/, /missing[^\n]*switches\.ts/, /vitest[^\n]*manifest/],
      "format and lint": [
        /types\.ts:1:\d+ lint\/suspicious\/noExplicitAny/,
        /types\.ts:2:\d+ lint\/style\/noNonNullAssertion/,
        /types\.ts:3:\d+ lint\/style\/noEnum/,
        /types\.ts:6:\d+ lint\/style\/noDefaultExport/,
        /cycle-a\.ts:1:\d+ lint\/suspicious\/noImportCycles/,
        /index\.ts format/,
      ],
      "protocol buffers": [/planted\.proto:5:9:Message name "planted"/, /planted\.proto:6:10:Field name "nodeId"/],
    };
    for (const name of names) {
      const { passed, output } = results.get(name) ?? { passed: true, output: "not run" };
      expect({ name, passed }).toEqual({ name, passed: false });
      // Some tools colour their output wherever CI is set.
      for (const pattern of expected[name]) expect(stripVTControlCharacters(output)).toMatch(pattern);
    }
  });
});
