import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";

/** A command that judges the tree: status 0 is good, and its output says what is not. */
export interface Check {
  /** One of node_modules/.bin, or of the PATH. */
  readonly command: string;
  readonly args: readonly string[];
}

export interface CheckResult {
  readonly passed: boolean;
  readonly seconds: number;
  /** What it printed, both streams, empty or ending in a line break. */
  readonly output: string;
}

async function outputOf(streams: readonly Readable[]): Promise<string> {
  const printed = await Promise.all(streams.map(text));
  return printed
    .filter((part) => part.trim() !== "")
    .map((part) => (part.endsWith("\n") ? part : `${part}\n`))
    .join("");
}

/** Runs one check in `root`. A command that can't be started has failed, and its output says why. */
export async function runCheck({ command, args }: Check, root: string): Promise<CheckResult> {
  const started = performance.now();
  const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<{ passed: boolean; problem: string }>((resolve) => {
    child.once("error", (error) => resolve({ passed: false, problem: `could not run ${command}: ${error.message}\n` }));
    child.once("close", (status, signal) =>
      resolve({ passed: status === 0, problem: signal === null ? "" : `${command} was ended by ${signal}\n` }),
    );
  });
  const [output, { passed, problem }] = await Promise.all([outputOf([child.stdout, child.stderr]), ended]);
  return { passed, seconds: (performance.now() - started) / 1000, output: output + problem };
}

/** Runs every check, `width` at a time in the given order, and reports each as it ends. True where all passed. */
export async function runChecks(
  checks: Readonly<Record<string, Check>>,
  { root, width, report }: { root: string; width: number; report: (name: string, result: CheckResult) => void },
): Promise<boolean> {
  const waiting = Object.entries(checks).values();
  let passed = true;
  // The lanes share one iterator: each takes the next check that no other has taken.
  const lane = async () => {
    for (const [name, check] of waiting) {
      const result = await runCheck(check, root);
      passed &&= result.passed;
      report(name, result);
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return passed;
}
