#!/usr/bin/env node
// The sources need Node 24, which set-up brings as a package; the Node that a person's shell finds may be older. So this
// file is plain JavaScript for Node >= 20, and hands over to the right Node when it runs under another.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const main = new URL("../src/main.ts", import.meta.url);

function findNode24() {
  try {
    const { resolve } = createRequire(import.meta.url);
    return join(dirname(resolve(`node-${process.platform}-${process.arch}/package.json`)), "bin/node");
  } catch {
    // Not installed: the caller says what to do.
    return undefined;
  }
}

/** Runs `node` in our place: same arguments and streams, signals passed on, its way of ending made ours. */
function runInstead(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`hedgerow: could not run ${node}: ${error.message}`);
    process.exitCode = 2;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

if (Number(process.versions.node.split(".")[0]) >= 24) {
  await import(main.href);
} else {
  const node = findNode24();
  if (node) runInstead(node);
  else {
    console.error(`hedgerow: needs Node.js 24 or newer (this is ${process.versions.node}): run "npm run setup" first`);
    process.exitCode = 2;
  }
}
