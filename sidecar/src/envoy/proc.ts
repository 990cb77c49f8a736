// Processes of this machine by their command lines. Linux only, as Envoy's releases are.
import { readdir, readFile } from "node:fs/promises";

/** What a process was given for an option; undefined for one that is gone, a zombie, or started without. */
async function optionOf(pid: number, option: string): Promise<string | undefined> {
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
    const at = words.indexOf(option);
    return at < 0 ? undefined : words[at + 1];
  } catch {
    // Gone, or hidden from us: not ours either way.
    return undefined;
  }
}

/** From status, not from the owner of the /proc entry, which is root for a binary with capabilities. */
async function isOurs(pid: number): Promise<boolean> {
  try {
    const uid = /^Uid:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
    return uid !== undefined && Number(uid) === process.getuid?.();
  } catch {
    // Gone.
    return false;
  }
}

/** True while the process runs with this option and value; a reused pid or a zombie does not. */
export async function runsWith(pid: number, option: string, value: string): Promise<boolean> {
  return (await optionOf(pid, option)) === value;
}

/**
 * Every process of our user whose value of the option has this prefix, and that value. An editor that has the same file open
 * is none: it has no such option. Another user's is none: anyone may call a process what he likes.
 */
export async function findByOption(option: string, prefix: string): Promise<{ pid: number; value: string }[]> {
  const found: { pid: number; value: string }[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const value = await optionOf(Number(entry), option);
    if (value?.startsWith(prefix) && (await isOurs(Number(entry)))) found.push({ pid: Number(entry), value });
  }
  return found;
}
