// `npm run check`: everything about the tree that is judged without running it.
import { availableParallelism } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { layout } from "./layers/layout.ts";
import { checksFor } from "./list.ts";
import { runChecks } from "./run-check.ts";

const root = resolve(import.meta.dirname, "../..");
process.env["PATH"] = join(root, "node_modules/.bin") + delimiter + process.env["PATH"];

const started = performance.now();
const checks = checksFor(
  root,
  layout.workspaces.map(({ name }) => name),
);
const passed = await runChecks(checks, {
  root,
  width: Math.min(4, availableParallelism()),
  report: (name, { passed, seconds, output }) => {
    console.log(`${passed ? "ok  " : "FAIL"} ${name.padEnd(16)} ${seconds.toFixed(1).padStart(5)} s`);
    if (!passed) console.log(output);
  },
});
console.log(`check ${passed ? "passed" : "FAILED"} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
if (!passed) process.exitCode = 1;
