import { describe, expect, test } from "vitest";
import { plantTree } from "../../testing/planted-tree.ts";
import { checkLayers } from "./check.ts";
import type { Layout } from "./layout.ts";

const layout: Layout = {
  workspaces: [
    { name: "base", mayImport: [], door: "pure", edgeDoors: ["store"] },
    { name: "server", mayImport: ["base", "proto"], door: "pure" },
    { name: "other", mayImport: ["base"], door: "pure" },
    { name: "proto", mayImport: [], door: "any" },
    { name: "whole", mayImport: ["server"], door: "any", runsEverything: true },
  ],
  flow: [
    { folder: "base/src", pure: "all" },
    { folder: "server/src/model", pure: "all" },
    { folder: "server/src/ads", pure: ["session.ts"] },
    { folder: "server/src", pure: ["index.ts"] },
    { folder: "other/src", pure: [] },
  ],
  purePackages: ["zod"],
  pureCrypto: ["createHash"],
};

const manifest = (...dependencies: string[]) =>
  JSON.stringify({ dependencies: Object.fromEntries(dependencies.map((name) => [name, "*"])) });

/** Breaks no rule, and uses what the rules allow. */
const clean = {
  "base/package.json": manifest("zod"),
  "base/src/kind.ts": `import { createHash } from "node:crypto";
import { z } from "zod";
export const kind = z.string();
export const digest = (text: string) => createHash("sha256").update(text).digest("hex");
export const later = (nowMs: number, process: { cwd: string }): Date => new Date(nowMs + Date.UTC(1970, 0, 2) + Math.ceil(process.cwd.length));
export const isDate = (value: unknown): value is Date => value instanceof Date;
interface Timed { readonly performance: number; readonly console: string }
export const timed = ({ performance, console: text }: Timed) => ({ process: text, Date: performance });`,
  "base/src/index.ts": 'export { kind } from "./kind.ts";\n',
  "server/package.json": manifest("@hedgerow/base", "pino"),
  "server/src/model/model.ts": 'import { kind } from "@hedgerow/base";\nexport const model = [kind];\n',
  "server/src/ads/session.ts": 'import { model } from "../model/model.ts";\nexport const session = model;\n',
  "server/src/ads/server.ts": `import { createServer } from "node:net";
import "@hedgerow/base/store";
import { pino } from "pino";
import { session } from "./session.ts";
export const started = async () => { pino().info({ now: Date.now(), session }); return createServer(); };`,
  "server/src/ads/server.test.ts": `import { test } from "vitest";
import { envoyPath } from "../../../scripts/envoy-path.js";
import { started } from "./server.ts";
test(envoyPath(), started);`,
  "server/src/index.ts": 'export { model } from "./model/model.ts";\n',
  "other/package.json": manifest("@hedgerow/base"),
  "other/src/main.ts": 'import { kind } from "@hedgerow/base";\nconsole.log(kind);\n',
  "proto/package.json": manifest(),
  "proto/src/adapter.ts": "export const adapter = () => setTimeout(() => undefined, 1);\n",
  "whole/package.json": manifest("@hedgerow/server"),
  "whole/src/main.ts": `import { model } from "@hedgerow/server";
import { envoyPath } from "../../scripts/envoy-path.js";
console.log(model, envoyPath());`,
};

function found(files: Readonly<Record<string, string>>): readonly string[] {
  using tree = plantTree({ ...clean, ...files });
  return checkLayers(tree.root, layout, "layout.ts").map(({ file, line, rule }) => `${file}:${line} ${rule}`);
}

describe("the layers", () => {
  test("a tree that keeps the rules has no finding", () => {
    expect(found({})).toEqual([]);
  });

  test.each([
    ["a workspace outside the table", "other/src/main.ts", 'import "@hedgerow/server";', "workspace-import"],
    ["a file of another workspace", "other/src/main.ts", 'import "../../base/src/kind.ts";', "outside-workspace"],
    ["scripts from a runtime", "other/src/main.ts", 'import "../../scripts/envoy-path.js";', "outside-workspace"],
    ["a second door", "other/src/main.ts", 'import "@hedgerow/base/src/kind.ts";', "one-door"],
    ["an edge's door from pure code", "server/src/model/model.ts", 'import "@hedgerow/base/store";', "pure-order"],
    ["a workspace's own door", "other/src/main.ts", 'import "@hedgerow/other";', "one-door"],
    ["a test from a runtime", "server/src/ads/server.ts", 'import "./server.test.ts";', "test-import"],
    ["test support from a runtime", "server/src/ads/server.ts", 'import "../testing/fake.ts";', "test-import"],
    ["a development dependency", "server/src/ads/server.ts", 'import { test } from "vitest";', "runtime-dependency"],
    ["an edge from a door", "server/src/index.ts", 'export { x } from "./ads/server.ts";', "pure-order pure-door"],
    ["an edge from what is pure", "server/src/ads/session.ts", 'import type { X } from "./server.ts";', "pure-order"],
    ["what stands later", "server/src/model/model.ts", 'export * from "../ads/session.ts";', "pure-order"],
    ["a socket", "base/src/kind.ts", 'import { connect } from "node:net";', "pure-node"],
    ["randomness of node:crypto", "base/src/kind.ts", 'import { randomUUID as id } from "node:crypto";', "pure-node"],
    ["all of node:crypto", "base/src/kind.ts", 'import * as crypto from "node:crypto";', "pure-node"],
    [
      "an import that hides in a function",
      "base/src/kind.ts",
      'export const f = () => import("node:net");',
      "pure-node pure-async",
    ],
    ["a package that does more", "server/src/model/model.ts", 'import { pino } from "pino";', "pure-package"],
  ])("finds an import of %s", (_, file, text, rules) => {
    expect(found({ [file]: `\n${text}\n` })).toEqual(rules.split(" ").map((rule) => `${file}:2 ${rule}`));
  });

  test.each([
    ["Date.now()", "pure-clock"],
    ["new Date()", "pure-clock"],
    ["Date()", "pure-clock"],
    ["(({ now }) => now())(Date)", "pure-clock"],
    ["performance.now()", "pure-clock"],
    ["Math.random()", "pure-random"],
    ['Math["random"]()', "pure-random"],
    ["crypto.randomUUID()", "pure-random"],
    ["process.env", "pure-process"],
    ["import.meta.dirname", "pure-process"],
    ["console.log", "pure-console"],
    ["setTimeout", "pure-timer"],
    ["setImmediate", "pure-timer"],
    ["queueMicrotask", "pure-timer"],
    ["fetch", "pure-network"],
    ["globalThis.Date", "pure-dynamic"],
    ['require("node:fs")', "pure-dynamic"],
    ["async () => 1", "pure-async"],
    ["{ async f() {} }", "pure-async"],
    ["Promise.resolve(1)", "pure-async"],
    ["(f: () => Promise<number>) => f", "pure-async"],
    ["{ [process.pid]: 1 }", "pure-process"],
    ["{ process }", "pure-process"],
    ["(at = Date.now()) => at", "pure-clock"],
  ])("finds %s in what is pure", (expression, rule) => {
    const text = `\n\nexport const planted = ${expression};\n`;
    expect(found({ "base/src/kind.ts": text })).toEqual([`base/src/kind.ts:3 ${rule}`]);
  });

  test("finds what waits at the top of a pure file", () => {
    const text = "await 1;\nfor await (const x of []) ;\nawait using y = undefined;\n";
    expect(found({ "base/src/kind.ts": text })).toEqual([1, 2, 3].map((line) => `base/src/kind.ts:${line} pure-async`));
  });

  test("lets edges do what pure files may not", () => {
    const text = 'import "node:net";\nexport const x = async () => [Date.now(), Math.random(), process.env];\n';
    expect(found({ "server/src/ads/server.ts": text })).toEqual([]);
  });

  test("finds a folder that nobody judged, once", () => {
    expect(found({ "server/src/source/a.ts": "", "server/src/source/b.ts": "" })).toEqual([
      "server/src/source/a.ts:1 unlisted-folder",
    ]);
  });

  test("finds an entry of the layout whose file is gone", () => {
    const stale = { ...layout, flow: [...layout.flow, { folder: "server/src/ca", pure: ["issue.ts"] }] };
    using tree = plantTree(clean);
    expect(checkLayers(tree.root, stale, "layout.ts")).toEqual([
      { file: "layout.ts", line: 1, rule: "stale-entry", why: "there is no server/src/ca/issue.ts" },
    ]);
  });

  test.each(["base/src/utils/x.ts", "base/src/helpers.ts", "whole/src/common/x.ts"])(
    "finds the vague name %s",
    (file) => {
      expect(found({ [file]: "" })).toEqual([`${file}:1 vague-name`]);
    },
  );

  test("refuses to judge what it can't parse", () => {
    expect(() => found({ "base/src/kind.ts": "export const = ;" })).toThrow("base/src/kind.ts");
  });
});
