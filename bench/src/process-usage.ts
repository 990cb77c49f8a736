// What processes use, from /proc (proc(5)).
import { readdirSync, readFileSync } from "node:fs";

export interface Usage {
  /** CPU time since the processes started, in user and in system, that of children that ended included. Milliseconds. */
  readonly cpuMs: number;
  /** Resident memory now. Pages that processes share count in each. */
  readonly rssBytes: number;
  readonly processes: number;
}

// The kernel's USER_HZ: 100 on every architecture that we run on, whatever its timer's frequency.
const msPerTick = 10;

interface ProcessStatus {
  readonly pid: number;
  readonly parent: number;
  readonly cpuMs: number;
}

function statusOf(pid: number): ProcessStatus | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command may hold spaces and brackets of its own, so fields are counted from its last bracket: 3 is the first.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const field = (number: number) => Number(fields[number - 3]);
    return { pid, parent: field(4), cpuMs: (field(14) + field(15) + field(16) + field(17)) * msPerTick };
  } catch {
    // It ended after it was listed.
    return undefined;
  }
}

/** CPU time of one process since its start, without those that it started and that still run, milliseconds; 0 where there is none. */
export function cpuMsOf(pid: number): number {
  return statusOf(pid)?.cpuMs ?? 0;
}

/** Resident memory of one process, without those that it started, bytes; 0 where there is none. */
export function rssOf(pid: number): number {
  try {
    const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** What a process and all that it started use together. Nothing, where there is no such process. */
export function usageOfTree(root: number): Usage {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statusOf(Number(name)) ?? []);
  const tree = all.filter(({ pid }) => pid === root);
  // Grows while it is walked: each process brings its children.
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid));
  return {
    cpuMs: tree.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
    rssBytes: tree.reduce((sum, { pid }) => sum + rssOf(pid), 0),
    processes: tree.length,
  };
}
