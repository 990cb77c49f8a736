import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { plantTree } from "./testing/planted-tree.ts";

const lockUrl = new URL("lock.js", import.meta.url).href;

/** Holds the lock, writes that it does, and stays for `ms` before it writes that it leaves. */
function hold(root: string, name: string, ms: number): ChildProcess {
  const script = `import { appendFileSync } from "node:fs";
import { withLock } from ${JSON.stringify(lockUrl)};
withLock("lock", () => appendFileSync("waits", "${name} "), () => {
  appendFileSync("log", "${name} in\\n");
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms});
  appendFileSync("log", "${name} out\\n");
});`;
  return spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: root, stdio: ["ignore", 2, 2] });
}

async function written(root: string, file: string, text: string): Promise<void> {
  for (;;) {
    if (readFileSync(join(root, file), "utf8").includes(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test("a lock admits one at a time, also after a holder was killed", async () => {
  using tree = plantTree({ log: "", waits: "" });
  const doomed = hold(tree.root, "doomed", 60_000);
  await written(tree.root, "log", "doomed in");
  const names = ["a", "b", "c", "d"];
  const others = names.map((name) => hold(tree.root, name, 20));
  const ended = others.map((child) => once(child, "exit"));
  for (const name of names) await written(tree.root, "waits", `${name} `);
  expect(readFileSync(join(tree.root, "log"), "utf8")).toBe("doomed in\n");
  doomed.kill("SIGKILL");
  expect(await Promise.all(ended)).toEqual(names.map(() => [0, null]));
  const lines = readFileSync(join(tree.root, "log"), "utf8").trim().split("\n").slice(1);
  const order = lines.filter((_, at) => at % 2 === 0).map((line) => line.split(" ")[0]);
  expect(new Set(order)).toEqual(new Set(names));
  expect(lines).toEqual(order.flatMap((name) => [`${name} in`, `${name} out`]));
});
