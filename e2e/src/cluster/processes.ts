import { readdirSync, readFileSync } from "node:fs";

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

function stat(pid: number): Stat | undefined {
  try {
    // The name in parentheses may hold anything, parentheses too.
    const [state = "", parent = ""] = readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    return { pid, parent: Number(parent), state };
  } catch {
    return undefined;
  }
}

/** True while the process exists and is no zombie. */
export function isAlive(pid: number): boolean {
  const found = stat(pid);
  return found !== undefined && found.state !== "Z" && found.state !== "X";
}

/** Read from /proc: not every kernel keeps a list of children. */
export function childrenOf(parent: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => stat(Number(name)) ?? [])
    .filter((found) => found.parent === parent)
    .map(({ pid }) => pid);
}
