// A lock between processes of one machine, for set-up alone. Plain JavaScript, as setup.js is.
import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

// flock(1) locks the open file that it inherits, and this process keeps that file open: the kernel frees the lock when
// the last holder of the descriptor is gone, so nobody ever has to judge whether a holder is dead and take over.
function flock(descriptor, ...options) {
  const { status, error } = spawnSync("flock", [...options, "3"], { stdio: ["ignore", 2, 2, descriptor] });
  if (error) throw new Error("could not run flock", { cause: error });
  return status === 0;
}

/**
 * Runs `work` while no other process holds the file `path`; calls `onWait` once where it has to wait. `work` gets the
 * descriptor that holds the lock: a child that inherits it goes on holding the lock should this process be killed.
 */
export function withLock(path, onWait, work) {
  const descriptor = openSync(path, "a");
  try {
    if (!flock(descriptor, "-n")) {
      onWait();
      if (!flock(descriptor)) throw new Error(`could not lock ${path}`);
    }
    return work(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
