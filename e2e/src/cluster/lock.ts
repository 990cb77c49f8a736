import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

/**
 * Locks a file for as long as anybody holds its descriptor: this process, or a child that inherited it. Undefined where
 * somebody else does. The kernel frees it with its last holder, so nobody has to judge whether a holder is dead.
 */
export function tryLock(path: string): number | undefined {
  return flock(path, "--nonblock");
}

/** As tryLock, and waits for it; `onWait` is called where it has to. */
export function lock(path: string, onWait: () => void): number {
  const held = tryLock(path);
  if (held !== undefined) return held;
  onWait();
  const waited = flock(path);
  if (waited === undefined) throw new Error(`could not lock ${path}`);
  return waited;
}

function flock(path: string, ...options: readonly string[]): number | undefined {
  const descriptor = openSync(path, "a");
  const { status, error } = spawnSync("flock", [...options, "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  if (status === 0) return descriptor;
  closeSync(descriptor);
  if (error) throw new Error("could not run flock", { cause: error });
  return undefined;
}
