// `npm run check`: everything about the tree that is judged without running it.
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { layout } from "./layers/layout.ts";
import { type Check, runChecks } from "./run-check.ts";

const root = resolve(import.meta.dirname, "../..");
process.env["PATH"] = join(root, "node_modules/.bin") + delimiter + process.env["PATH"];

const sources = layout.workspaces
  .flatMap(({ name }) => [`${name}/src`, `${name}/test`])
  .filter((folder) => existsSync(join(root, folder)));

// The longest first, so that the lanes end together.
const checks: readonly Check[] = [
  { name: "types", command: "tsc", args: ["-b"] },
  { name: "lint with types", command: "oxlint", args: ["--type-aware", "--deny-warnings", ...sources, "scripts"] },
  { name: "unused code", command: "knip", args: ["--no-progress"] },
  { name: "format and lint", command: "biome", args: ["check", "--error-on-warnings", "."] },
  { name: "layers", command: "node", args: ["scripts/checks/layers/main.ts"] },
  { name: "licences", command: "node", args: ["scripts/checks/licences/main.ts"] },
  // Of buf.yaml's modules only this one is ours; the others are Envoy's and may look as they like.
  { name: "protocol buffers", command: "buf", args: ["lint", "--path", "proto/hedgerow"] },
];

const started = performance.now();
const passed = await runChecks(checks, {
  root,
  width: Math.min(4, availableParallelism()),
  report: ({ name }, { passed, seconds, output }) => {
    console.log(`${passed ? "ok  " : "FAIL"} ${name.padEnd(16)} ${seconds.toFixed(1).padStart(5)} s`);
    if (!passed) console.log(output);
  },
});
console.log(`check ${passed ? "passed" : "FAILED"} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
if (!passed) process.exitCode = 1;
