// Processes of this machine by their command lines. Linux only, as Envoy's releases are.
import { readdir, readFile } from "node:fs/promises";

/** The arguments of a process; empty for one that is gone or a zombie. */
async function commandLine(pid: number): Promise<string[]> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
  } catch {
    // Gone, or another user's: not ours either way.
    return [];
  }
}

/** True while the process runs with this argument; a reused pid or a zombie does not. */
export async function runsWith(pid: number, argument: string): Promise<boolean> {
  return (await commandLine(pid)).includes(argument);
}

/** Every process that has an argument with this prefix, and that argument. */
export async function findByArgument(prefix: string): Promise<{ pid: number; argument: string }[]> {
  const found: { pid: number; argument: string }[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const argument = (await commandLine(Number(entry))).find((candidate) => candidate.startsWith(prefix));
    if (argument !== undefined) found.push({ pid: Number(entry), argument });
  }
  return found;
}
