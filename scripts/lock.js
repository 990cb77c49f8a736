// A lock between processes of one machine, for set-up alone. Plain JavaScript, as setup.js is.
import { linkSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";

const pollMs = 200;

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function holderOf(path) {
  try {
    return Number(readFileSync(path, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

// A link appears with its content or not at all, so that no one ever reads a lock without its holder's pid.
function tryAcquire(path) {
  const mine = `${path}.${process.pid}`;
  writeFileSync(mine, String(process.pid));
  try {
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  } finally {
    unlinkSync(mine);
  }
}

/** Runs `work` while no other process holds `path`. A lock whose holder died is taken over. */
export function withLock(path, onWait, work) {
  let told = false;
  while (!tryAcquire(path)) {
    const holder = holderOf(path);
    if (holder !== undefined && !isAlive(holder)) {
      rmSync(path, { force: true });
      continue;
    }
    if (!told && holder !== undefined) onWait(holder);
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
  }
  const release = () => rmSync(path, { force: true });
  process.once("exit", release);
  work();
  release();
  process.removeListener("exit", release);
}
