import { spawnSync } from "node:child_process";
import { missingRules, restoreInput, type TableRules } from "./rules.ts";

/** The system's own choice first; a kernel may know only one of the two. */
const VARIANTS = ["", "-nft", "-legacy"];
const TIMEOUT_MS = 30_000;
/** The legacy variant locks a file; /run is read-only in our container, and this is a file system of every container. */
const LOCK_FILE = "/dev/shm/xtables.lock";

/**
 * Puts rules in force in this network namespace, at once and as a whole, and looks whether they are. Returns the name of
 * the program that could. Throws, with the words of every one that could not.
 */
export function applyRules(program: "iptables" | "ip6tables", rules: TableRules): string {
  const problems: string[] = [];
  for (const variant of VARIANTS) {
    const name = `${program}${variant}`;
    const problem = applyWith(name, rules);
    if (problem === undefined) return name;
    problems.push(problem);
  }
  throw new Error(problems.join("\n"));
}

function applyWith(name: string, rules: TableRules): string | undefined {
  const save = () => execute(`${name}-save`, ["-t", rules.table], "");
  const before = save();
  if (before.problem !== undefined) return before.problem;
  const { problem } = execute(`${name}-restore`, ["--noflush", "--wait=10"], restoreInput(rules, before.output));
  if (problem !== undefined) return problem;
  const missing = missingRules(rules, save().output);
  return missing.length === 0
    ? undefined
    : `${name}-restore said nothing, yet these are not in force: ${missing.join("; ")}`;
}

function execute(
  command: string,
  args: readonly string[],
  input: string,
): { readonly output: string; readonly problem: string | undefined } {
  const env = { XTABLES_LOCKFILE: LOCK_FILE, ...process.env };
  const { error, status, signal, stdout, stderr } = spawnSync(command, args, {
    input,
    env,
    encoding: "utf8",
    timeout: TIMEOUT_MS,
  });
  if (error === undefined && status === 0) return { output: stdout, problem: undefined };
  const words = error?.message ?? `${signal ?? `status ${status}`}: ${stderr.trim()}`;
  return { output: "", problem: `${command} ${args.join(" ")}: ${words}` };
}
